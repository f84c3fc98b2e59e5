"""Trains a classifier of images and judges it on images that it never saw."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy, one_hot
from torch.utils.data import DataLoader

from dicom_node.domain.errors import ConfigurationError
from inference.networks.build import build_network
from inference.preprocess.picture import PictureRules
from inference.training.augmentation import Augmentation
from inference.training.examples import SPLITS, read_grey
from inference.training.judged import JudgedClassifier
from inference.training.loop import LoopPlan, fit
from inference.training.pictures import Pictures
from inference.training.pretrained import load_pretrained
from inference.training.splitting import (
    TEST,
    TRAIN,
    VALIDATION,
    fold_splits,
    group_alike,
    split_examples,
    thumbnails,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from inference.training.examples import Examples


@dataclass(frozen=True, slots=True)
class ClassifierPlan:
    """What is trained, and how.

    Attributes
    ----------
    preprocessing
        As in a manifest's `adapter.preprocessing`.
    pretrained
        Weights to start from; `None` starts from random ones.
    mixup
        Images of a batch are mixed in pairs, by shares of a beta distribution with this parameter; 0 is off.
    abnormal
        Names of the classes that the binary threshold is about.
    sensitivity
        Share of abnormal validation images that must be found at the threshold.
    """

    network: str
    parameters: dict[str, Any]
    preprocessing: dict[str, Any]
    loop: LoopPlan = field(default_factory=LoopPlan)
    augmentation: Augmentation = field(default_factory=Augmentation)
    pretrained: Path | None = None
    batch: int = 32
    label_smoothing: float = 0.05
    mixup: float = 0.0
    abnormal: tuple[str, ...] = ()
    sensitivity: float = 0.97
    workers: int = 0


@dataclass(frozen=True, slots=True)
class TrainedClassifier:
    """A network with its best weights (as half precision keeps them), and what it was judged by."""

    network: nn.Module
    temperature: float
    threshold: float
    record: dict[str, Any]
    predictions: list[dict[str, Any]]


def train_classifier(
    examples: Examples, plan: ClassifierPlan, folder: Path, report: Callable[[str], None]
) -> TrainedClassifier:
    """Train, stop early, calibrate on the validation split and judge on the test split.

    Parameters
    ----------
    folder
        Holds the checkpoint; a training that was broken off goes on from it.
    report
        Gets a line an epoch.

    Raises
    ------
    ConfigurationError
        If an image cannot be read, a split is empty, or the checkpoint belongs to another training.
    """
    material = _Material.read(examples)
    split = split_examples(examples, material.groups, plan.loop.seed)
    return _train(material, split, plan, folder, report)


def train_folds(
    examples: Examples, plan: ClassifierPlan, folds: int, folder: Path, report: Callable[[str], None]
) -> Iterator[TrainedClassifier]:
    """Train a network for each fold, judged on what no training of it saw; arguments as `train_classifier`.

    Raises
    ------
    ConfigurationError
    """
    material = _Material.read(examples)
    for number, split in enumerate(fold_splits(examples, material.groups, plan.loop.seed, folds), start=1):
        report(f"fold {number} of {folds}")
        yield _train(material, split, plan, folder / f"fold-{number}", report)


@dataclass(frozen=True, slots=True)
class _Material:
    """Examples with their images, grey, and their groups."""

    examples: Examples
    images: list[NDArray[np.uint8]]
    groups: NDArray[np.int64]

    @classmethod
    def read(cls, examples: Examples) -> _Material:
        images = [np.rint(read_grey(item.path) * 255).astype(np.uint8) for item in examples.items]
        small = thumbnails([image.astype(np.float32) for image in images])
        return cls(examples, images, group_alike([item.patient for item in examples.items], small))


def _train(
    material: _Material,
    split: NDArray[np.int64],
    plan: ClassifierPlan,
    folder: Path,
    report: Callable[[str], None],
) -> TrainedClassifier:
    started = time.monotonic()
    torch.manual_seed(plan.loop.seed)
    examples, images, groups = material.examples, material.images, material.groups
    sizes = ", ".join(f"{int((split == n).sum())} {name}" for n, name in enumerate(SPLITS))
    report(f"{len(images)} images in {int(groups.max()) + 1} groups: {sizes}")
    if any(not (split == n).any() for n in range(len(SPLITS))):
        raise ConfigurationError("too few different images for training, validation and test; give more")

    task = _Classification(examples, images, split, plan)
    network = build_network(plan.network, classes=len(examples.classes), **plan.parameters)
    if plan.pretrained is not None:
        load_pretrained(network, plan.pretrained)
    network.to(device=torch.device(plan.loop.device), memory_format=torch.channels_last)
    curves = fit(network, task, plan.loop, folder, report)

    # What is judged are the weights as the package holds them.
    network.half().float()
    logits = np.full((len(images), len(examples.classes)), np.nan)
    for n in (VALIDATION, TEST):
        logits[split == n] = task.logits(network, n)
    judged = JudgedClassifier(
        examples, logits, groups, split, plan.abnormal, plan.sensitivity, plan.loop.seed
    )
    return TrainedClassifier(
        network,
        judged.temperature,
        judged.threshold,
        {
            "data_sha256": examples.sha256(),
            "groups": int(groups.max()) + 1,
            "minutes": round((time.monotonic() - started) / 60, 1),
            "curves": curves,
            **judged.record(),
        },
        judged.predictions(),
    )


class _Classification:
    """`inference.training.loop.Task` of a classifier."""

    def __init__(
        self,
        examples: Examples,
        images: list[NDArray[np.uint8]],
        split: NDArray[np.int64],
        plan: ClassifierPlan,
    ) -> None:
        self._plan = plan
        self._device = torch.device(plan.loop.device)
        self._count = len(examples.classes)
        self._rng = np.random.default_rng(plan.loop.seed)
        rules = PictureRules.of(plan.preprocessing)
        labels = np.array([item.label for item in examples.items])
        self._weights = class_weights(labels[split == TRAIN], self._count).to(self._device)
        self._pictures = [
            Pictures(
                [images[k] for k in np.flatnonzero(split == n)],
                [int(label) for label in labels[split == n]],
                rules,
                plan.augmentation if n == TRAIN else None,
                plan.loop.seed,
            )
            for n in range(len(SPLITS))
        ]
        self._loaders = [self._loader(pictures, n == TRAIN) for n, pictures in enumerate(self._pictures)]

    def steps(self) -> int:
        """Batches an epoch."""
        return len(self._loaders[TRAIN])

    def batches(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Pictures and shares of the classes, `(batch, classes)`."""
        self._pictures[TRAIN].epoch = epoch
        for pictures, labels in self._loaders[TRAIN]:
            inputs = pictures.to(memory_format=torch.channels_last)
            targets = one_hot(labels, self._count).float()
            if self._plan.mixup:
                share = float(self._rng.beta(self._plan.mixup, self._plan.mixup))
                inputs = share * inputs + (1 - share) * inputs.flip(0)
                targets = share * targets + (1 - share) * targets.flip(0)
            yield inputs, targets

    def loss(self, scores: Tensor, targets: Tensor) -> Tensor:
        """Cross entropy, rare classes weighing more."""
        return cross_entropy(
            scores, targets, weight=self._weights, label_smoothing=self._plan.label_smoothing
        )

    def judge(self, network: nn.Module) -> dict[str, float]:
        """Loss and accuracy of the validation split."""
        logits = self.logits(network, VALIDATION)
        labels = np.array(self._pictures[VALIDATION].labels)
        loss = cross_entropy(
            torch.from_numpy(logits), torch.from_numpy(labels), weight=self._weights.double().cpu()
        )
        accuracy = float((logits.argmax(axis=1) == labels).mean())
        return {"validation_loss": round(float(loss), 4), "validation_accuracy": round(accuracy, 4)}

    def logits(self, network: nn.Module, split: int) -> NDArray[np.float64]:
        """Of all pictures of a split, `(images, classes)`."""
        network.eval()
        with torch.inference_mode():
            parts = [
                network(pictures.to(self._device, memory_format=torch.channels_last)).double().cpu()
                for pictures, _ in self._loaders[split]
            ]
        return torch.cat(parts).numpy() if parts else np.zeros((0, self._count))

    def _loader(self, pictures: Pictures, training: bool) -> DataLoader[Any]:
        return DataLoader(
            pictures,
            batch_size=self._plan.batch,
            shuffle=training,
            # A last batch of one image has no statistics to normalise by.
            drop_last=training and len(pictures) > self._plan.batch,
            num_workers=self._plan.workers,
        )


def class_weights(labels: NDArray[np.int64], count: int) -> Tensor:
    """Rare classes weigh more, by the square root of how rare they are; the mean is 1."""
    weights = 1 / np.sqrt(np.maximum(np.bincount(labels, minlength=count), 1))
    return torch.tensor(weights / weights.mean(), dtype=torch.float32)
