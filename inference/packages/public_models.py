"""Descriptions of public models: where they come from, their licence, and how they are run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dicom_node.domain.errors import NotFound

FOLDER = Path(__file__).with_name("public")


@dataclass(frozen=True, slots=True)
class PublicFile:
    """A file that is fetched.

    Attributes
    ----------
    path
        In the package: the file, or the folder that the archive is unpacked into.
    sha256, sha256_prefix
        Of the file as fetched; `None` where it is not known.
    """

    url: str
    path: str
    unpack: bool = False
    sha256: str | None = None
    sha256_prefix: str | None = None


@dataclass(frozen=True, slots=True)
class PublicModel:
    """A public model, as `models install` knows it.

    Attributes
    ----------
    tried
        Whether it was run where this description was written.
    needs
        What must be installed besides.
    weights
        Role and path in the package of what is hashed.
    package
        The rest of its `model.yaml`; `None` where a package must be written by hand, as `how` says.
    """

    name: str
    title: str
    project: str
    paper: str
    licence: str
    size: str
    tried: str
    needs: str
    weights: tuple[tuple[str, str], ...]
    files: tuple[PublicFile, ...]
    package: dict[str, Any] | None
    how: str | None


def public_models() -> dict[str, PublicModel]:
    """All descriptions by name."""
    return {path.stem: _read(path) for path in sorted(FOLDER.glob("*.yaml"))}


def public_model(name: str) -> PublicModel:
    """The description of one model.

    Raises
    ------
    NotFound
        If there is none; the message names those that there are.
    """
    known = public_models()
    if name not in known:
        raise NotFound(f"no public model is described as {name} (there are: {', '.join(known)})")
    return known[name]


def _read(path: Path) -> PublicModel:
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    return PublicModel(
        name=path.stem,
        **{key: raw[key] for key in ("title", "project", "paper", "licence", "size", "tried", "needs")},
        weights=tuple((one["role"], one["path"]) for one in raw["weights"]),
        files=tuple(PublicFile(**one) for one in raw["files"]),
        package=raw["package"],
        how=raw.get("how"),
    )
