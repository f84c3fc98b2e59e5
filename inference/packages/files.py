"""Checks that what a package is made of is there, and is what its manifest means."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from dicom_node.domain.errors import InvalidModelPackage
from inference.adapters.bundle.layout import read_layout
from inference.installed_files import check_sha256, find_weight
from inference.packages.finding import PackageFinding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inference.contract.package import ModelManifest


def check_files(manifest: ModelManifest) -> tuple[PackageFinding, ...]:
    """What is wrong with the installed files of a package, and with what runs it."""
    found = []
    for weight in manifest.weights:
        try:
            check_sha256(find_weight(manifest, weight), weight.sha256)
        except InvalidModelPackage as exc:
            found.append(PackageFinding("files", str(exc), error=True))
    return (*found, *_adapter(manifest))


def _adapter(manifest: ModelManifest) -> Iterator[PackageFinding]:
    kind, target = manifest.adapter.kind, manifest.adapter.target or ""
    if kind == "python":
        module = target.partition(":")[0]
        if not is_importable(module):
            yield PackageFinding("adapter", f"adapter module {module} is not installed", error=True)
    elif kind == "monai-bundle":
        named = manifest.adapter.parameters.get("config", ())
        try:
            root = find_weight(manifest, manifest.weights[0])
            read_layout(root, (named,) if isinstance(named, str) else tuple(named))
        except InvalidModelPackage as exc:
            yield PackageFinding("adapter", str(exc), error=True)


def is_importable(module: str) -> bool:
    """Whether a module is installed; it is not imported, but the packages around it are."""
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False
