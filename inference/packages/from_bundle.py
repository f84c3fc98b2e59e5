"""Writes a package around a MONAI bundle, from what its metadata say. Nothing of the bundle is run."""

from __future__ import annotations

import shutil
import uuid
from typing import TYPE_CHECKING, Any

from dicom_node.domain.errors import ConfigurationError
from inference.adapters.bundle.layout import read_layout
from inference.installed_files import sha256_of
from inference.manifest import FILE_NAME, read_manifest
from inference.packages.template import NewPackage, package_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from inference.adapters.bundle.layout import BundleLayout

BUNDLE = "bundle"
#: What bundles call modalities, as DICOM has them.
MODALITIES = {
    "ct": "CT",
    "mr": "MR",
    "mri": "MR",
    "pet": "PT",
    "mammogram": "MG",
    "xray": "DX",
    "x-ray": "DX",
    "cr": "CR",
    "us": "US",
    "ultrasound": "US",
    "regular": "ES",
}
BACKGROUND = frozenset({"background", "bg", "other", "rest"})


def package_from_bundle(
    bundle: Path, folder: Path, *, task: str | None = None, name: str | None = None
) -> Path:
    """Copy a bundle into a new package and write its `model.yaml`; returns the package's folder.

    Parameters
    ----------
    bundle
        As downloaded from the model zoo; it is copied unchanged.
    task
        Where the metadata do not tell: `segmentation`, `classification` or `detection`.

    Raises
    ------
    InvalidModelPackage
        If it is no bundle.
    ConfigurationError
        If the folder is not empty.
    """
    layout = read_layout(bundle)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigurationError(f"{folder} is there already and not empty; name another folder")
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(bundle, folder / BUNDLE, ignore=shutil.ignore_patterns("__pycache__", ".git", ".cache"))
    task = task or _task(layout)
    labels, values = _labels(layout, task)
    parameters: dict[str, Any] = {}
    if task == "segmentation" and list(values) != list(range(1, len(values) + 1)):
        parameters["labels"] = list(values)
    new = NewPackage(
        name=name or _name(str(layout.metadata.get("name") or bundle.resolve().name)),
        device_uid=f"2.25.{uuid.uuid4().int}",
        task=task,
        title=_text(layout, "name", "task", otherwise=bundle.resolve().name),
        version=_version(str(layout.metadata.get("version") or "0.1.0")),
        manufacturer=_text(layout, "authors", "authorship", "copyright", otherwise="not known"),
        licence=_licence(bundle),
        modality=MODALITIES.get(str(layout.image.get("modality") or "").lower(), "CT"),
        labels=labels,
        flat=_is_flat(layout),
        adapter={"kind": "monai-bundle", "target": BUNDLE, "parameters": parameters},
        weights=[{"role": "bundle", "path": BUNDLE, "sha256": sha256_of(folder / BUNDLE)}],
        intended_use=_text(layout, "intended_use", "description", otherwise="Research."),
        training=_text(layout, "data_source", otherwise="Not known; ask the authors of the bundle."),
        limits=("Not tested at this site.",),
        references=[str(text)[:1000] for text in _list(layout.metadata.get("references"))],
    )
    (folder / FILE_NAME).write_text(package_text(new), encoding="utf-8")
    read_manifest(folder)
    return folder


def _task(layout: BundleLayout) -> str:
    """By the metadata of the output; a mask where they say nothing else."""
    kind, form = (str(layout.prediction.get(key) or "").lower() for key in ("type", "format"))
    if kind == "object" or "box" in form:
        return "detection"
    shape = layout.prediction.get("spatial_shape")
    says_classes = kind == "probabilities" or form in {"classes", "classification"}
    return (
        "classification"
        if says_classes or (form == "labels" and shape and _is_vector(shape))
        else "segmentation"
    )


def _is_vector(shape: Any) -> bool:
    return isinstance(shape, list) and 1 in shape and len(shape) <= 2


def _labels(layout: BundleLayout, task: str) -> tuple[Sequence[str], Sequence[int]]:
    """Names of the outputs and their numbers; of a segmentation without the background."""
    named = layout.prediction.get("channel_def")
    if not isinstance(named, dict) or not named:
        count = layout.prediction.get("num_channels")
        count = count if isinstance(count, int) and 0 < count < 1000 else 2
        named = {str(number): f"output {number}" for number in range(count)}
    found = [(int(key), str(value)) for key, value in named.items() if str(key).isdecimal()]
    if task == "segmentation" and len(found) > 1:
        found = [(key, value) for key, value in found if value.lower() not in BACKGROUND and key > 0] or found
    found = found or [(1, "output")]
    return [value for _, value in found], [key for key, _ in found]


def _is_flat(layout: BundleLayout) -> bool:
    shape = layout.image.get("spatial_shape")
    return isinstance(shape, list) and len(shape) == 2


def _text(layout: BundleLayout, *keys: str, otherwise: str) -> str:
    for key in keys:
        value = layout.metadata.get(key)
        if isinstance(value, str) and value.strip():
            return value.strip()
    return otherwise


def _licence(bundle: Path) -> str:
    """What the bundle's licence file says it is."""
    for path in (bundle / "LICENSE", bundle / "LICENSE.txt", bundle / "docs" / "license.txt"):
        if path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")[:2000]
            if "Apache License" in text and "Version 2.0" in text:
                return "Apache-2.0"
            if text.lstrip().startswith("MIT License"):
                return "MIT"
            return "LicenseRef-see-bundle"
    return "LicenseRef-not-stated"


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _version(text: str) -> str:
    kept = "".join(c for c in text if c.isascii() and (c.isalnum() or c in ".+-")).lstrip(".+-")[:64]
    return kept or "0.1.0"


def _name(text: str) -> str:
    name = "-".join("".join(c if c.isascii() and c.isalnum() else " " for c in text.lower()).split())
    return name[:64].strip("-") or "bundle"
