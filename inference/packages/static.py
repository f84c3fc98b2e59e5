"""What can be said of a package without running it: files, licence, codes, trust."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from dicom_node.domain.errors import InvalidModelPackage
from inference.installed_files import check_sha256, find_sample
from inference.packages.codes import check_codes
from inference.packages.files import check_files
from inference.packages.finding import PackageFinding
from inference.packages.trust import needs_trust

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from inference.contract.package import ModelManifest


def check_package(manifest: ModelManifest, trusted: Collection[str]) -> tuple[PackageFinding, ...]:
    """Look at a package's files, licence, codes and trust; nothing of it is run.

    Parameters
    ----------
    trusted
        SHA-256 of files that the operator lets run code.
    """
    return (
        *check_files(manifest),
        *_licence(manifest),
        *check_codes(manifest),
        *_trust(manifest, trusted),
        *_samples(manifest),
    )


def _licence(manifest: ModelManifest) -> Iterator[PackageFinding]:
    try:
        canonicalize_license_expression(manifest.licence)
    except InvalidLicenseExpression:
        text = f"{manifest.licence!r} is no SPDX expression (MIT, Apache-2.0, LicenseRef-mine ...)"
        yield PackageFinding("licence", text, error=False)


def _trust(manifest: ModelManifest, trusted: Collection[str]) -> Iterator[PackageFinding]:
    for path, sha256 in needs_trust(manifest):
        if sha256 not in trusted:
            bundle = manifest.adapter.kind == "monai-bundle"
            what = "is code of its author" if bundle else "is a pickle, which may hold code"
            text = f"{path} {what}: if you trust it, run `dicom-node models trust {manifest.name}`"
            yield PackageFinding("trust", text, error=bundle)


def _samples(manifest: ModelManifest) -> Iterator[PackageFinding]:
    if not manifest.samples:
        yield PackageFinding("sample", "the package has no sample: nothing shows that it works", error=False)
    for sample in manifest.samples:
        try:
            check_sha256(find_sample(manifest, sample), sample.sha256)
        except InvalidModelPackage as exc:
            yield PackageFinding("sample", f"sample: {exc}", error=True)
