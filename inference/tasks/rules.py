"""What a manifest says of feeding a network, beside the shape of its images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dicom_node.domain.errors import InvalidModelPackage
from inference.tasks.batches import BATCH

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inference.contract.package import ModelManifest

#: Keys of `adapter.preprocessing` that are the same for all models; the others are the image's.
_SHARED = ("batch", "within")


@dataclass(frozen=True, slots=True)
class TaskRules:
    """How a network is fed.

    Attributes
    ----------
    image
        `adapter.preprocessing` without the keys below: of a picture or of a grid.
    flat
        Whether the network takes single pictures (`size: [rows, columns]`) and not volumes.
    batch
        Images at once, to begin with.
    within
        A feed, `<model>.<array>`: what lies outside of it is shown as the darkest value.
    """

    image: Mapping[str, Any]
    flat: bool
    batch: int
    within: str | None

    @classmethod
    def of(cls, manifest: ModelManifest) -> TaskRules:
        """Read the manifest.

        Raises
        ------
        InvalidModelPackage
            If `batch` is no positive number, or `within` no feed of a required model.
        """
        raw = manifest.adapter.preprocessing
        image = {key: value for key, value in raw.items() if key not in _SHARED}
        size = image.get("size")
        flat = isinstance(size, list | tuple) and len(size) == 2
        batch, within = raw.get("batch", BATCH if flat else 1), raw.get("within")
        if not isinstance(batch, int) or batch < 1:
            raise InvalidModelPackage("preprocessing, batch: a number of images from 1")
        if within is not None and str(within).rpartition(".")[0] not in manifest.requires:
            raise InvalidModelPackage(
                "preprocessing, within: <model>.<array> of a model that `requires` names, as in"
                " mr-brain-extraction.mask"
            )
        return cls(image, flat, batch, within)


def choice(raw: Mapping[str, Any], key: str, allowed: tuple[str, ...], default: str) -> str:
    """One word of several.

    Raises
    ------
    InvalidModelPackage
    """
    value = raw.get(key, default)
    if value not in allowed:
        raise InvalidModelPackage(f"postprocessing, {key}: one of {', '.join(allowed)}")
    return str(value)


def number(raw: Mapping[str, Any], key: str, default: float, *, low: float = 0, high: float = 1) -> float:
    """A number in a range.

    Raises
    ------
    InvalidModelPackage
    """
    value = raw.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise InvalidModelPackage(f"postprocessing, {key}: a number from {low:g} to {high:g}")
    return float(value)


def known_keys(raw: Mapping[str, Any], *known: str) -> None:
    """Refuse what no code reads, so that a typing error is seen.

    Raises
    ------
    InvalidModelPackage
    """
    if unknown := sorted(set(raw) - set(known)):
        raise InvalidModelPackage(
            f"postprocessing: unknown key {unknown[0]} (there are {', '.join(sorted(known))})"
        )
