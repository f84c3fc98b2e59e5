"""What the operator lets run code: pickles and bundles, by the SHA-256 of what was looked at.

A file that changes loses its trust with its hash.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from dicom_node.domain.errors import ConfigurationError
from inference.installed_files import check_sha256, find_weight

if TYPE_CHECKING:
    from pathlib import Path

    from inference.contract.package import ModelManifest

FILE_NAME = "trusted-models.json"
#: Endings of files that `torch.save` writes: pickles, which may hold code.
PICKLES = frozenset({".pt", ".pth", ".ckpt", ".bin", ".pkl", ".tar"})


@dataclass(frozen=True, slots=True)
class Trust:
    """One trusted file or folder.

    Attributes
    ----------
    model, version
        The package that it belongs to.
    path
        As the manifest has it.
    at, by
        When (ISO 8601, UTC) and who.
    """

    model: str
    version: str
    path: str
    sha256: str
    at: str
    by: str


class TrustStore:
    """The record in the node's data folder.

    Parameters
    ----------
    data_dir
        It may not be there yet.
    """

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / FILE_NAME

    def entries(self) -> tuple[Trust, ...]:
        """All that is trusted, oldest first.

        Raises
        ------
        ConfigurationError
            If the record cannot be read.
        """
        try:
            rows = json.loads(self._path.read_text(encoding="utf-8"))
            return tuple(Trust(**row) for row in rows)
        except FileNotFoundError:
            return ()
        except (OSError, ValueError, TypeError) as exc:
            raise ConfigurationError(
                f"{self._path} cannot be read; repair or remove it, then trust the models again"
            ) from exc

    def digests(self) -> frozenset[str]:
        """SHA-256 of all that is trusted.

        Raises
        ------
        ConfigurationError
        """
        return frozenset(entry.sha256 for entry in self.entries())

    def add(self, entries: tuple[Trust, ...]) -> None:
        """Record what is trusted from now on.

        Raises
        ------
        ConfigurationError
        """
        known = {(e.model, e.sha256) for e in entries}
        kept = tuple(e for e in self.entries() if (e.model, e.sha256) not in known)
        self._write(kept + entries)

    def remove(self, model: str) -> int:
        """Trust nothing of a model any more; returns how many entries that were.

        Raises
        ------
        ConfigurationError
        """
        entries = self.entries()
        kept = tuple(e for e in entries if e.model != model)
        if len(kept) != len(entries):
            self._write(kept)
        return len(entries) - len(kept)

    def _write(self, entries: tuple[Trust, ...]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_suffix(".new")
        beside.write_text(json.dumps([asdict(e) for e in entries], indent=2) + "\n", encoding="utf-8")
        beside.chmod(0o600)
        beside.replace(self._path)


def needs_trust(manifest: ModelManifest) -> tuple[tuple[str, str], ...]:
    """Path and SHA-256 of what a package can run only when it is trusted; empty for most packages.

    Pickles that hold nothing but tensors need no trust in the end: the model process finds out.
    """
    if manifest.adapter.kind == "monai-bundle":
        return tuple((weight.path, weight.sha256) for weight in manifest.weights)
    if manifest.adapter.kind == "network":
        return tuple(
            (w.path, w.sha256) for w in manifest.weights if f".{w.path.rpartition('.')[2]}" in PICKLES
        )
    return ()


def look_at(manifest: ModelManifest, *, at: str, by: str) -> tuple[Trust, ...]:
    """What to record for a package, after hashing its files as they lie there.

    Raises
    ------
    InvalidModelPackage
        If a file is missing, cannot be read or is not the one that the manifest means.
    """
    found = []
    for weight in manifest.weights:
        if (weight.path, weight.sha256) in needs_trust(manifest):
            check_sha256(find_weight(manifest, weight), weight.sha256)
            found.append(Trust(manifest.name, manifest.version, weight.path, weight.sha256, at, by))
    return tuple(found)
