"""Networks and images that a new package starts with, so that it runs before its author has any.

Imports torch: only for commands, never in the node.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import nibabel
import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

from dicom_node.domain.errors import ConfigurationError
from inference.networks.build import build_network

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

#: Side of the example's pictures and volumes.
SIDE = 32


class BrightBox(torch.nn.Module):  # type: ignore[misc]
    """Says one box around what is brighter than half: (boxes, scores, labels), for pictures of one image."""

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Boxes (1, 1, 4) as x, y, x, y; scores (1, 1); labels (1, 1)."""
        bright = torch.gt(pictures[0, 0], 0.5).to(pictures.dtype)
        rows = torch.arange(pictures.shape[2], dtype=pictures.dtype) * bright.amax(dim=1)
        columns = torch.arange(pictures.shape[3], dtype=pictures.dtype) * bright.amax(dim=0)
        box = torch.stack([columns.amin(), rows.amin(), columns.amax() + 1, rows.amax() + 1])
        return box.reshape(1, 1, 4), bright.amax().reshape(1, 1), torch.zeros(1, 1, dtype=torch.int64)


def write_weights(folder: Path, kind: str, task: str, classes: int) -> tuple[str, dict[str, Any]]:
    """Write untrained weights; the file's name, and the section `adapter` that loads them.

    Raises
    ------
    ConfigurationError
        If a library for the format is not installed.
    """
    torch.manual_seed(0)
    flat = task != "segmentation"
    preprocessing: dict[str, Any] = {"intensity": {"percentiles": [1, 99]}}
    preprocessing |= {"size": [SIDE, SIDE], "channels": 1} if flat else {"spacing_mm": [2, 2, 2]}
    postprocessing: dict[str, Any] = {"activation": "softmax"}
    section: dict[str, Any] = {"kind": kind, "preprocessing": preprocessing, "postprocessing": postprocessing}
    if task == "detection":
        section["postprocessing"] = {"boxes": "boxes", "scores": "scores", "labels": "labels"}
        section["parameters"] = {"outputs": ["boxes", "scores", "labels"]}
        network: torch.nn.Module = BrightBox()
    elif task == "segmentation":
        network = torch.nn.Sequential(
            torch.nn.Conv3d(1, 4, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv3d(4, classes + 1, 1)
        )
    else:
        network = build_network("small-cnn", classes=classes, in_channels=1)
    if kind == "network":
        if task == "detection":
            raise ConfigurationError("a detector is no architecture of ours; use --kind torchscript or onnx")
        name = "small-cnn" if task == "classification" else "unet"
        parameters: dict[str, Any] = {"classes": classes, "in_channels": 1}
        if task == "segmentation":
            parameters |= {"classes": classes + 1, "spatial_dims": 3, "channels": [4, 8, 16]}
            preprocessing["patch"] = [SIDE, SIDE, SIDE]
        save_file(build_network(name, **parameters).state_dict(), folder / "network.safetensors")
        return "network.safetensors", {**section, "target": name, "parameters": parameters}
    example = torch.zeros(1, 1, *([SIDE] * (2 if flat else 3)))
    file = "network.ts" if kind == "torchscript" else "network.onnx"
    with warnings.catch_warnings():
        # torch would rather see torch.export; TorchScript is what other tools read.
        warnings.simplefilter("ignore")
        if kind == "torchscript":
            torch.jit.script(network.eval()).save(str(folder / file))
        else:
            _export_onnx(network.eval(), example, folder / file)
    return file, section


def write_picture(path: Path) -> None:
    """Write a grey picture: a disc and a bar on a slope, nothing of it symmetric."""
    rows, columns = np.mgrid[:128, :96]
    picture = 40 + rows * 0.5 + np.random.default_rng(0).normal(0, 3, rows.shape)
    picture[(rows - 44) ** 2 + (columns - 60) ** 2 < 20**2] += 110
    picture[90:100, 10:50] += 60
    Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(path)


def write_volume(path: Path, modality: str) -> None:
    """Write a NIfTI volume: a bright ball in a larger one of noise, not in its middle; of CT in HU."""
    voxels = example_volume()
    if modality == "CT":
        # Around -1000 outside (air), 0 to 80 inside.
        voxels = np.where(voxels < 50, voxels - 1000, voxels - 60).astype(np.int16)
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    image = nibabel.nifti1.Nifti1Image(voxels, affine)
    image.header["descrip"] = b"synthetic"
    nibabel.save(image, path)


def example_volume() -> NDArray[np.int16]:
    """int16 (columns, rows, slices), 2 mm voxels."""
    x, y, z = np.mgrid[:SIDE, :SIDE, :SIDE] - SIDE // 2
    voxels = 100 + np.random.default_rng(0).normal(0, 5, x.shape) + x
    voxels[x**2 + y**2 + z**2 > (SIDE // 2 - 1) ** 2] *= 0.05
    voxels[(x - 4) ** 2 + (y + 3) ** 2 + (z - 2) ** 2 < 36] += 150
    return np.asarray(np.clip(voxels, 0, None), dtype=np.int16)


def _export_onnx(network: torch.nn.Module, example: torch.Tensor, path: Path) -> None:
    try:
        torch.onnx.export(network, (example,), str(path), dynamo=False, input_names=["image"])
    except ImportError as exc:
        raise ConfigurationError("to write an example in ONNX: pip install onnx") from exc
