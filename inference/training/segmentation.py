"""Trains a segmenter of pictures or volumes with Dice and cross entropy."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy, one_hot

from dicom_node.domain.errors import ConfigurationError
from inference.networks.build import build_network
from inference.preprocess.grid import GridRules, prepare_grid, resample
from inference.preprocess.picture import PictureRules, prepare_picture
from inference.training.examples import SPLITS
from inference.training.loop import LoopPlan, fit
from inference.training.pairs import pairs_sha256, read_pairs
from inference.training.patches import Patches
from inference.training.pretrained import load_pretrained
from inference.training.splitting import TEST, TRAIN, VALIDATION, group_alike, thumbnails

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from inference.training.pairs import Pair

#: Added above and below in Dice, so that an empty class counts as found.
SMOOTH = 1e-5


@dataclass(frozen=True, slots=True)
class SegmenterPlan:
    """What is trained, and how.

    Attributes
    ----------
    preprocessing
        As in a manifest's `adapter.preprocessing`; with `patch`, training sees pieces of that size.
    segments
        Names of the mask's values from 1 on.
    mirror_axes
        Axes of the network's input (0 is the first after the channels) along which images may be mirrored;
        none where left and right mean something.
    gamma, noise
        Largest exponent and largest standard deviation of added noise.
    """

    network: str
    parameters: dict[str, Any]
    preprocessing: dict[str, Any]
    segments: tuple[str, ...]
    loop: LoopPlan = field(default_factory=lambda: LoopPlan(learning_rate=2e-3, head_factor=1.0))
    pretrained: Path | None = None
    batch: int = 2
    patches_per_image: int = 1
    mirror_axes: tuple[int, ...] = ()
    gamma: float = 1.3
    noise: float = 0.03


@dataclass(frozen=True, slots=True)
class TrainedSegmenter:
    """A network with its best weights (as half precision keeps them), and what it was judged by."""

    network: nn.Module
    record: dict[str, Any]


def train_segmenter(
    data: Path, plan: SegmenterPlan, folder: Path, report: Callable[[str], None]
) -> TrainedSegmenter:
    """Train on `images/` and `masks/` of a folder, stop early and judge on images that were held back.

    Raises
    ------
    ConfigurationError
        If the data cannot be used; the message names the file.
    """
    started = time.monotonic()
    torch.manual_seed(plan.loop.seed)
    pairs = read_pairs(data)
    if len(pairs) < len(SPLITS):
        raise ConfigurationError("at least three images with masks are needed: training, validation, test")
    largest = max(int(pair.mask.max()) for pair in pairs)
    if largest > len(plan.segments):
        raise ConfigurationError(
            f"a mask holds the value {largest}, but {len(plan.segments)} segments are named"
        )
    groups = patient_groups(pairs)
    split = split_groups(groups, plan.loop.seed)
    report(
        f"{len(pairs)} images in {groups.max() + 1} groups: "
        + ", ".join(f"{len(part)} {SPLITS[n]}" for n, part in enumerate(split))
    )
    task = _Segmentation([[prepared(pairs[k], plan) for k in part] for part in split], plan)
    network = build_network(plan.network, classes=len(plan.segments) + 1, **plan.parameters)
    if plan.pretrained is not None:
        load_pretrained(network, plan.pretrained)
    network.to(torch.device(plan.loop.device))
    curves = fit(network, task, plan.loop, folder, report)
    network.half().float()
    return TrainedSegmenter(
        network.eval(),
        {
            "data_sha256": pairs_sha256(pairs),
            "segments": list(plan.segments),
            "groups": int(groups.max()) + 1,
            "splits": {SPLITS[n]: len(part) for n, part in enumerate(split)},
            "seed": plan.loop.seed,
            "minutes": round((time.monotonic() - started) / 60, 1),
            "curves": curves,
            "validation": {"dice": task.dice(network, VALIDATION)},
            "test": {"dice": task.dice(network, TEST)},
        },
    )


def prepared(pair: Pair, plan: SegmenterPlan) -> tuple[Tensor, Tensor]:
    """Input `(channels, ...)` and mask `(...)` on the network's grid, by the package's own preprocessing."""
    if pair.image.ndim == 2:
        rules = PictureRules.of(plan.preprocessing)
        picture, placement = prepare_picture(pair.image, rules)
        return torch.from_numpy(picture), torch.from_numpy(placement.mask_from_source(pair.mask)).long()
    grid = GridRules.of(plan.preprocessing)
    volume, place = prepare_grid(pair.image, pair.affine, grid)
    turned = place.order.turned(pair.mask)
    shares = np.stack(
        [resample((turned == n).astype(np.float32), place.size) for n in range(len(plan.segments) + 1)]
    )
    mask = np.zeros(volume.shape[1:], dtype=np.int64)
    mask[tuple(slice(0, n) for n in place.size)] = shares.argmax(axis=0)
    return torch.from_numpy(volume), torch.from_numpy(mask)


def dice_loss(scores: Tensor, targets: Tensor) -> Tensor:
    """1 less the mean Dice of the segments, background left out, plus cross entropy.

    Parameters
    ----------
    scores
        `(batch, classes, ...)`, before softmax.
    targets
        `(batch, ...)`, whole numbers.
    """
    wanted = one_hot(targets, scores.shape[1]).movedim(-1, 1)
    shares = scores.softmax(dim=1)
    axes = (0, *range(2, scores.ndim))
    both = (shares * wanted).sum(dim=axes)[1:]
    either = (shares.sum(dim=axes) + wanted.sum(dim=axes))[1:]
    return 1 - ((2 * both + SMOOTH) / (either + SMOOTH)).mean() + cross_entropy(scores, targets)


class _Segmentation:
    """`inference.training.loop.Task` of a segmenter."""

    def __init__(self, splits: list[list[tuple[Tensor, Tensor]]], plan: SegmenterPlan) -> None:
        self._splits = splits
        self._plan = plan
        self._device = torch.device(plan.loop.device)
        patch = plan.preprocessing.get("patch")
        self._patches = Patches(
            tuple(patch) if patch else None, plan.mirror_axes, plan.gamma, plan.noise, plan.loop.seed
        )
        self._patch = tuple(patch) if patch else None

    def steps(self) -> int:
        """Batches an epoch."""
        return -(-len(self._splits[TRAIN]) * self._plan.patches_per_image // self._plan.batch)

    def batches(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Pieces of images with their masks."""
        return self._patches.batches(
            self._splits[TRAIN], epoch, self._plan.batch, self._plan.patches_per_image
        )

    def loss(self, scores: Tensor, targets: Tensor) -> Tensor:
        """Dice and cross entropy."""
        return dice_loss(scores, targets)

    def judge(self, network: nn.Module) -> dict[str, float]:
        """1 less the mean Dice of the validation images."""
        dice = float(np.mean(list(self.dice(network, VALIDATION).values())))
        return {"validation_loss": round(1 - dice, 4), "validation_dice": round(dice, 4)}

    def dice(self, network: nn.Module, split: int) -> dict[str, float]:
        """Mean Dice of each segment over the images that hold it or are said to."""
        network.eval()
        values: dict[str, list[float]] = {name: [] for name in self._plan.segments}
        with torch.inference_mode():
            for image, mask in self._splits[split]:
                said = self._scores(network, image[None].to(self._device))[0].argmax(dim=0).cpu().numpy()
                for n, name in enumerate(self._plan.segments, start=1):
                    overlap = dice_of(said == n, mask.numpy() == n)
                    if overlap is not None:
                        values[name].append(overlap)
        return {name: round(float(np.mean(found)), 4) if found else 1.0 for name, found in values.items()}

    def _scores(self, network: nn.Module, image: Tensor) -> Tensor:
        if self._patch is None:
            scores: Tensor = network(image)
            return scores
        from monai.inferers.utils import sliding_window_inference

        slid: Tensor = sliding_window_inference(image, self._patch, 1, network, overlap=0.25)
        return slid


def dice_of(said: NDArray[np.bool_], wanted: NDArray[np.bool_]) -> float | None:
    """Dice overlap of two masks; `None` where both are empty."""
    total = int(said.sum()) + int(wanted.sum())
    return 2 * float((said & wanted).sum()) / total if total else None


def patient_groups(pairs: Sequence[Pair]) -> NDArray[np.int64]:
    """Number of the group of each image: one patient, and near-doubles among pictures."""
    # Volumes of different heads on one grid look alike as small as that.
    small = thumbnails([pair.image for pair in pairs]) if pairs[0].affine is None else None
    return group_alike([pair.patient for pair in pairs], small)


def split_groups(groups: NDArray[np.int64], seed: int) -> list[list[int]]:
    """Numbers of the images of each of `SPLITS`, whole groups only.

    Raises
    ------
    ConfigurationError
        If there are fewer than three groups.
    """
    held = max(1, round(0.15 * len(groups)))
    parts: list[list[int]] = [[] for _ in SPLITS]
    for group in np.random.default_rng(seed).permutation(int(groups.max()) + 1):
        filled = next((part for part in (TEST, VALIDATION) if len(parts[part]) < held), TRAIN)
        parts[filled].extend(int(n) for n in np.flatnonzero(groups == group))
    if not all(parts):
        raise ConfigurationError("images of at least three patients are needed: training, validation, test")
    return [sorted(part) for part in parts]
