"""Chooses how a package is loaded and run, by its `adapter.kind` and its task."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from dicom_node.domain.errors import InvalidModelPackage
from dicom_node.domain.finding import Task

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from inference.contract.package import ModelManifest
    from inference.runner.adapter import Adapter, LoadedNetwork

#: What runs a loaded network, by the task: made from the manifest, the network and the device.
TASKS = {
    Task.CLASSIFICATION: ("inference.tasks.classification", "ClassificationAdapter"),
    Task.SEGMENTATION: ("inference.tasks.segmentation", "SegmentationAdapter"),
    Task.DETECTION: ("inference.tasks.detection", "DetectionAdapter"),
}


def build_adapter(
    manifest: ModelManifest, weights: Mapping[str, Path], device: str, *, trusted: Collection[str] = ()
) -> Adapter:
    """Load a package's model and give what runs it.

    Parameters
    ----------
    weights
        Files (or the folder, for a bundle) by their role in the manifest; their hashes have been checked.
    device
        `cpu` or `cuda`.
    trusted
        SHA-256 of files that the operator lets run code (`dicom-node models trust`): pickles and bundles.

    Raises
    ------
    InvalidModelPackage
        If the model cannot be loaded, or is code that nobody trusted; the message says what to do.
    """
    kind = manifest.adapter.kind
    if kind == "python":
        return _python(manifest, weights, device)
    if kind == "monai-bundle":
        from inference.adapters.bundle.load import load_bundle

        return load_bundle(manifest, weights, device, trusted=trusted)
    return _with_task(manifest, _network(manifest, weights, device, trusted), device)


def _python(manifest: ModelManifest, weights: Mapping[str, Path], device: str) -> Adapter:
    module, _, name = (manifest.adapter.target or "").partition(":")
    try:
        made: type[Adapter] = getattr(import_module(module), name)
    except (ImportError, AttributeError) as exc:
        raise InvalidModelPackage(
            f"adapter.target {manifest.adapter.target}: cannot be imported ({type(exc).__name__});"
            " install the distribution that holds it"
        ) from exc
    parameters = dict(manifest.adapter.parameters)
    try:
        return made(weights, device, **parameters)
    except TypeError as exc:
        if not parameters:
            raise
        raise InvalidModelPackage(f"adapter.parameters: {name} does not take them ({exc})") from exc


def _network(
    manifest: ModelManifest, weights: Mapping[str, Path], device: str, trusted: Collection[str]
) -> LoadedNetwork:
    kind = manifest.adapter.kind
    if kind == "onnx":
        from inference.adapters.onnx_network import load_onnx

        return load_onnx(manifest, weights, device)
    if kind == "torchscript":
        from inference.adapters.torch_network import load_torchscript

        return load_torchscript(manifest, weights, device)
    from inference.adapters.torch_network import load_network

    return load_network(manifest, weights, device, trusted=trusted)


def _with_task(manifest: ModelManifest, network: LoadedNetwork, device: str) -> Adapter:
    if manifest.task in TASKS:
        module, name = TASKS[manifest.task]
        made: Adapter = getattr(import_module(module), name)(manifest, network, device)
        return made
    raise InvalidModelPackage(
        f"task {manifest.task} with adapter.kind {manifest.adapter.kind}: a measurement is run by code"
        " (adapter.kind python)"
    )
