"""Runs a bundle's chain on one image in memory: preprocessing, inferer, postprocessing."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from monai.data import MetaTensor, decollate_batch, list_data_collate

from dicom_node.domain.errors import InferenceFailed, InvalidModelPackage
from inference.adapters.bundle.config import SEPARATOR
from inference.adapters.bundle.given import Given

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from monai.transforms import Compose

    from inference.adapters.bundle.config import BundleConfig

PREDICTION = "pred"


@dataclass(frozen=True, slots=True)
class BundleOutput:
    """What a bundle made of one image.

    Attributes
    ----------
    final
        The prediction after the whole postprocessing, or `None` where it did not keep it.
    soft
        The prediction before it was made discrete; the same as `final` where it never was.
    raw
        What the inferer gave, of this one image.
    image
        The preprocessed image, channels first.
    activated
        Whether the postprocessing made `soft` probabilities; else they are what the network gave.
    discrete
        Whether `final` holds labels, or channels of 0 and 1.
    """

    final: Any
    soft: Any
    raw: Any
    image: torch.Tensor
    activated: bool = True
    discrete: bool = False


class BundleRunner:
    """A loaded bundle, asked for one image at a time.

    Raises
    ------
    InvalidModelPackage
        If it takes other files than one image, or a component cannot be made.
    """

    def __init__(self, config: BundleConfig, network: torch.nn.Module, device: str) -> None:
        self._device = torch.device(device)
        self._network = network
        self._preprocessing = config.transforms("preprocessing")
        self._image_key = _image_key(self._preprocessing, config.made("image_key"))
        self._inferer = config.inferer()
        self._postprocessing = config.transforms("postprocessing")
        collate = config.made(f"dataloader{SEPARATOR}collate_fn")
        self._collate: Callable[[Sequence[Any]], Any] = collate or list_data_collate
        self._prepare = config.made(f"evaluator{SEPARATOR}prepare_batch")
        amp = bool(config.made(f"evaluator{SEPARATOR}amp", default=False))
        self._half = amp and self._device.type == "cuda"

    def run(self, image: MetaTensor) -> BundleOutput:
        """Take one image through the bundle.

        Parameters
        ----------
        image
            As `LoadImaged` would have loaded it; see `inference.adapters.bundle.grid`.
        """
        with warnings.catch_warnings():
            # What foreign code is warned of is its author's to mend.
            warnings.simplefilter("ignore")
            return self._run(image)

    def _run(self, image: MetaTensor) -> BundleOutput:
        item = self._preprocessing({self._image_key: image})
        if isinstance(item, list):
            raise InferenceFailed("the bundle's preprocessing cuts the image into several; one is needed")
        batch = self._collate([item])
        with torch.inference_mode(), torch.autocast(self._device.type, enabled=self._half):
            given = self._inferer(self._inputs(batch), self._network)
            raw = _first(given)
            if isinstance(raw, dict):
                return BundleOutput(None, None, raw, item[self._image_key])
            prediction = self._placed(given, batch)
            done = decollate_batch({**batch, PREDICTION: prediction})[0]
            return self._finished(done, raw, item[self._image_key])

    def _inputs(self, batch: Any) -> Any:
        if self._prepare is not None:
            prepared = self._prepare(batch, self._device, False)
            return prepared[0] if isinstance(prepared, tuple | list) else prepared
        if isinstance(batch, list):
            return [one[self._image_key].to(self._device) for one in batch]
        return batch[self._image_key].to(self._device)

    def _placed(self, given: Any, batch: Mapping[str, Any]) -> torch.Tensor:
        """The first output, carrying the place of the image; TorchScript loses it."""
        while isinstance(given, tuple | list):
            given = given[0]
        source = batch[self._image_key]
        if isinstance(given, MetaTensor) or given.shape[2:] != source.shape[2:]:
            return torch.as_tensor(given)
        return MetaTensor(
            given, meta=source.meta, applied_operations=source.applied_operations
        ).copy_meta_from(source)

    def _finished(self, item: dict[str, Any], raw: Any, image: torch.Tensor) -> BundleOutput:
        soft, activated, discrete = None, False, False
        for transform in self._postprocessing.transforms:
            name = type(transform).__name__
            if name.startswith("AsDiscrete") and not discrete:
                soft, discrete = item.get(PREDICTION), True
            activated = activated or (name.startswith("Activations") and not discrete)
            item = transform(item)
        final = item.get(PREDICTION)
        soft = final if soft is None else soft
        if not discrete:
            discrete = _is_label_map(final)
        return BundleOutput(final, soft, raw, image, activated, discrete)


def _image_key(preprocessing: Compose, named: Any) -> str:
    """The key that the preprocessing wants the image under."""
    keys = {key for t in preprocessing.transforms if isinstance(t, Given) for key in t.keys}
    if len(keys) > 1:
        raise InvalidModelPackage(
            f"bundle: it loads {len(keys)} files ({', '.join(sorted(keys))}); the node gives one series"
        )
    return keys.pop() if keys else str(named or "image")


def _is_label_map(final: Any) -> bool:
    """Whether one channel holds whole numbers, some above 1: labels that a bundle's own code made."""
    if final is None or final.ndim < 3 or final.shape[0] != 1 or not torch.is_tensor(final):
        return False
    return bool((final == final.round()).all() and final.max() > 1) or not final.is_floating_point()


def _first(given: Any) -> Any:
    return given[0] if isinstance(given, tuple | list) and given else given
