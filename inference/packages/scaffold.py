"""Writes a new package to start from. An offline command: it may import torch."""

from __future__ import annotations

import shutil
import uuid
from typing import TYPE_CHECKING

from dicom_node.domain.errors import ConfigurationError
from inference.installed_files import sha256_of
from inference.manifest import FILE_NAME, read_manifest
from inference.packages.template import NewPackage, class_name, package_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


KINDS = ("python", "network", "torchscript", "onnx")
TASKS = ("classification", "segmentation", "detection", "measurement")
_ADAPTER = '''"""The model's own code: it runs in the model process, once a series."""

import numpy as np

from inference.runner.adapter import ModelOutput


class Model:
    """What is brighter than half of the image's range. Put your model here."""

    def __init__(self, weights, device):
        """Load `weights`: paths by the roles of model.yaml, their hashes checked already."""
        self.device = device

    def warm_up(self):
        """Run once on something small: a GPU compiles for the first image."""

    def predict(self, volume):
        """`volume.voxels` is float32 (slices, rows, columns), `volume.affine` leads to LPS, mm."""
        low, high = np.percentile(volume.voxels, (1, 99))
        probability = np.clip((volume.voxels - low) / max(high - low, 1e-6), 0, 1).astype(np.float32)
        mask = (probability > 0.5).astype(np.uint8)
        {result}
'''
_RESULTS = {
    "segmentation": "return ModelOutput(confidence=0.9, mask=mask, probability=probability)",
    "classification": (
        "bright = float(mask.mean())\n"
        "        probabilities = [1 - bright] + [bright / {others}] * {others}\n"
        "        classes = dict(zip({names}, probabilities, strict=True))\n"
        "        return ModelOutput(confidence=max(classes.values()), classes=classes)"
    ),
    "detection": (
        "where = np.argwhere(mask)\n"
        "        box = (*where.min(axis=0), *(where.max(axis=0) + 1))\n"
        "        found = DetectedBox({name!r}, 0.9, tuple(float(edge) for edge in box))\n"
        "        return ModelOutput(confidence=0.9, detections=(found,))"
    ),
    "measurement": ('return ModelOutput(confidence=0.9, facts={"mean_value": float(volume.voxels.mean())})'),
}
_PROJECT = """[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "{name}"
version = "0.1.0"

[project.entry-points."dicom_node.models"]
{name} = "{module}"

[tool.hatch.build.targets.wheel]
packages = ["{module}"]
"""


def new_package(
    folder: Path,
    *,
    task: str,
    kind: str,
    name: str | None = None,
    labels: Sequence[str] = (),
    modality: str = "MR",
    weights: Path | None = None,
) -> Path:
    """Write a package that runs; returns the folder of its `model.yaml`.

    Parameters
    ----------
    labels
        Segments, classes or categories, in the order of the network's outputs.
    weights
        A file of the author's; without it an untrained network is written.

    Raises
    ------
    ConfigurationError
        If the folder is not empty, or the task is not run by this kind.
    """
    name = name or _name(folder.name)
    labels = tuple(labels) or (("normal", "abnormal") if task == "classification" else ("finding",))
    if kind != "python" and task == "measurement":
        raise ConfigurationError("measurements are made by code: --kind python")
    _make_empty(folder)
    if kind == "python":
        return _python_project(folder, name, task, labels, modality)
    from inference.packages.examples import write_picture, write_volume, write_weights

    flat = task != "segmentation"
    file, adapter = write_weights(folder, kind, task, len(labels))
    if weights is not None:
        (folder / file).unlink()
        file = weights.name
        shutil.copyfile(weights, folder / file)
    sample = "sample.png" if task == "classification" else "sample.nii.gz"
    if task == "classification":
        write_picture(folder / sample)
    else:
        write_volume(folder / sample, modality)
    new = NewPackage(
        name=name,
        device_uid=_new_uid(),
        task=task,
        modality=modality,
        labels=labels,
        flat=flat and task == "classification",
        adapter=adapter,
        weights=[{"role": "network", "path": file, "sha256": sha256_of(folder / file)}],
        sample={"path": sample, "sha256": sha256_of(folder / sample)},
    )
    return _write(folder, new)


def _python_project(folder: Path, name: str, task: str, labels: Sequence[str], modality: str) -> Path:
    from inference.packages.examples import write_volume

    module = name.replace("-", "_")
    package = folder / module
    package.mkdir()
    result = _RESULTS[task]
    if task == "classification":
        names = [class_name(label) for label in labels]
        result = result.replace("{others}", str(max(1, len(labels) - 1))).replace("{names}", repr(names))
    code = _ADAPTER.replace("{result}", result.replace("{name!r}", repr(class_name(labels[0]))))
    if task == "detection":
        code = code.replace("import ModelOutput", "import DetectedBox, ModelOutput")
    (package / "__init__.py").write_text(f'"""The model package {name}."""\n', encoding="utf-8")
    (package / "adapter.py").write_text(code, encoding="utf-8")
    (folder / "pyproject.toml").write_text(_PROJECT.format(name=name, module=module), encoding="utf-8")
    write_volume(package / "sample.nii.gz", modality)
    new = NewPackage(
        name=name,
        device_uid=_new_uid(),
        task=task,
        modality=modality,
        labels=labels,
        adapter={"kind": "python", "target": f"{module}.adapter:Model"},
        sample={"path": "sample.nii.gz", "sha256": sha256_of(package / "sample.nii.gz")},
    )
    return _write(package, new)


def _write(folder: Path, new: NewPackage) -> Path:
    (folder / FILE_NAME).write_text(package_text(new), encoding="utf-8")
    read_manifest(folder)
    return folder


def _make_empty(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigurationError(f"{folder} is there already and not empty; name another folder")
    folder.mkdir(parents=True, exist_ok=True)


def _name(text: str) -> str:
    name = "".join(c if c.isascii() and c.isalnum() else "-" for c in text.lower()).strip("-")
    return name[:64] or "new-model"


def _new_uid() -> str:
    return f"2.25.{uuid.uuid4().int}"
