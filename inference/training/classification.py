"""Trains a classifier of images and judges it on images that it never saw."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader

from inference.networks import build_network, stages
from inference.preprocess.picture import PictureRules
from inference.training.augmentation import Augmentation
from inference.training.calibration import Judgement, fit_temperature, threshold_for
from inference.training.checkpoint import Checkpoint
from inference.training.examples import SPLITS, read_grey
from inference.training.pictures import Pictures
from inference.training.pretrained import load_pretrained
from inference.training.splitting import group_examples, split_examples, thumbnails

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import nn

    from inference.training.examples import Examples

TRAIN, VALIDATION, TEST = range(3)


@dataclass(frozen=True, slots=True)
class ClassifierPlan:
    """What is trained, and how.

    Attributes
    ----------
    preprocessing
        As in a manifest's `adapter.preprocessing`.
    pretrained
        Weights to start from; `None` starts from random ones.
    frozen_stages
        Of `inference.networks.stages`, this many leading ones keep their weights and statistics.
    head_factor
        The last layer learns this much faster.
    abnormal
        Names of the classes that the binary threshold is about.
    sensitivity
        Share of abnormal validation images that must be found at the threshold.
    average
        Validated and kept is a running mean of the weights with this decay a step; 0 takes them as they are.
    patience
        Epochs without a better validation loss until training ends.
    """

    network: str
    parameters: dict[str, Any]
    preprocessing: dict[str, Any]
    augmentation: Augmentation = field(default_factory=Augmentation)
    pretrained: Path | None = None
    frozen_stages: int = 0
    epochs: int = 20
    batch: int = 32
    learning_rate: float = 5e-4
    head_factor: float = 4.0
    weight_decay: float = 0.02
    label_smoothing: float = 0.05
    mixup: float = 0.0
    average: float = 0.0
    patience: int = 6
    abnormal: tuple[str, ...] = ()
    sensitivity: float = 0.97
    seed: int = 20
    workers: int = 0
    device: str = "cpu"


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
        If an image cannot be read, or the checkpoint belongs to another training.
    """
    started = time.monotonic()
    torch.manual_seed(plan.seed)
    images = [np.rint(read_grey(item.path) * 255).astype(np.uint8) for item in examples.items]
    labels = [item.label for item in examples.items]
    groups = group_examples(examples, thumbnails([i.astype(np.float32) for i in images]))
    split = split_examples(examples, groups, plan.seed)
    report(f"{len(images)} images in {int(groups.max()) + 1} groups: " + _sizes(split))

    rules = PictureRules.of(plan.preprocessing)
    loaders = [
        _loader(Pictures(*_chosen(images, labels, split == n), rules, _how(plan, n), plan.seed), plan, n)
        for n in range(len(SPLITS))
    ]
    network = build_network(plan.network, classes=len(examples.classes), **plan.parameters)
    if plan.pretrained is not None:
        load_pretrained(network, plan.pretrained)
    device = torch.device(plan.device)
    network.to(device=device, memory_format=torch.channels_last)
    curves = _fit(
        network, loaders, plan, _class_weights(labels, split, len(examples.classes)), folder, report
    )

    # What is judged are the weights as the package holds them.
    network.half().float()
    logits = np.full((len(images), len(examples.classes)), np.nan)
    for n in (VALIDATION, TEST):
        logits[split == n] = _logits(network, loaders[n], device)
    held = split == VALIDATION
    known = np.array(labels)
    temperature = fit_temperature(logits[held], known[held])
    abnormal = tuple(examples.classes.index(name) for name in plan.abnormal)
    scaled = torch.from_numpy(logits / temperature).softmax(dim=1).numpy()
    threshold = 0.5
    if abnormal:
        score = scaled[:, list(abnormal)].sum(axis=1)
        threshold = threshold_for(score[held], np.isin(known[held], abnormal), plan.sensitivity)

    def judged(where: NDArray[np.bool_]) -> dict[str, Any]:
        return Judgement(
            logits[where], known[where], groups[where], abnormal, temperature, threshold, plan.seed
        ).figures()

    subsets = sorted({item.subset for item in examples.items if item.subset})
    of_subset = np.array([item.subset or "" for item in examples.items])
    record = {
        "classes": list(examples.classes),
        "data_sha256": examples.sha256(),
        "images": len(images),
        "groups": int(groups.max()) + 1,
        "splits": {
            name: np.bincount(known[split == n], minlength=len(examples.classes)).tolist()
            for n, name in enumerate(SPLITS)
        },
        "seed": plan.seed,
        "minutes": round((time.monotonic() - started) / 60, 1),
        "curves": curves,
        "temperature": round(temperature, 4),
        "threshold": round(threshold, 4),
        "validation": judged(held),
        "test": judged(split == TEST),
        "test_by_subset": {
            name: judged((split == TEST) & (of_subset == name))
            for name in subsets
            if ((split == TEST) & (of_subset == name)).any()
        },
    }
    predictions = [
        {"path": item.path.name, "label": item.label, "subset": item.subset, "split": SPLITS[split[n]]}
        | {"logits": [round(float(x), 4) for x in logits[n]]}
        for n, item in enumerate(examples.items)
        if split[n] != TRAIN
    ]
    return TrainedClassifier(network.eval(), temperature, threshold, record, predictions)


def _fit(
    network: nn.Module,
    loaders: list[DataLoader[Any]],
    plan: ClassifierPlan,
    class_weights: torch.Tensor,
    folder: Path,
    report: Callable[[str], None],
) -> list[dict[str, float]]:
    device = torch.device(plan.device)
    weights = class_weights.to(device)
    parts = stages(network)
    frozen = parts[: plan.frozen_stages]
    for part in frozen:
        part.requires_grad_(requires_grad=False)
    head = list(parts[-1].parameters())
    body = [p for part in parts[plan.frozen_stages : -1] for p in part.parameters()]
    optimizer = torch.optim.AdamW(
        [{"params": body}, {"params": head, "lr": plan.learning_rate * plan.head_factor}],
        lr=plan.learning_rate,
        weight_decay=plan.weight_decay,
    )
    steps = len(loaders[TRAIN])
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: _rate(step / max(1, steps * plan.epochs), warm=0.5 / plan.epochs)
    )
    mean = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(plan.average), use_buffers=True)
    checkpoint = Checkpoint(folder, network, mean, optimizer, schedule)
    curves = checkpoint.resume()
    rng = np.random.default_rng(plan.seed)
    for epoch in range(len(curves), plan.epochs):
        if checkpoint.epochs_since_best >= plan.patience:
            report(f"no better validation loss for {plan.patience} epochs: training ends")
            break
        began = time.monotonic()
        pictures = loaders[TRAIN].dataset
        assert isinstance(pictures, Pictures)  # noqa: S101  it was made so above
        pictures.epoch = epoch
        torch.manual_seed(plan.seed * 1000 + epoch)
        network.train()
        for part in frozen:
            part.eval()
        losses = []
        for batch, targets in loaders[TRAIN]:
            moved = batch.to(device, memory_format=torch.channels_last)
            wanted = torch.nn.functional.one_hot(targets, len(weights)).float().to(device)
            if plan.mixup:
                share = float(rng.beta(plan.mixup, plan.mixup))
                moved = share * moved + (1 - share) * moved.flip(0)
                wanted = share * wanted + (1 - share) * wanted.flip(0)
            with torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda"):
                scores = network(moved)
            loss = cross_entropy(scores.float(), wanted, weight=weights, label_smoothing=plan.label_smoothing)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            mean.update_parameters(network)
            losses.append(float(loss.detach()))
        held, targets = _logits(mean.module, loaders[VALIDATION], device), _targets(loaders[VALIDATION])
        point = {
            "training_loss": round(float(np.mean(losses)), 4),
            "validation_loss": round(
                float(cross_entropy(torch.from_numpy(held), targets, weight=class_weights.double())), 4
            ),
            "validation_accuracy": round(float((held.argmax(axis=1) == targets.numpy()).mean()), 4),
        }
        curves.append(point)
        checkpoint.save(curves)
        report(
            f"epoch {epoch + 1}/{plan.epochs}: loss {point['training_loss']:.3f}, validation loss"
            f" {point['validation_loss']:.3f}, accuracy {point['validation_accuracy']:.3f},"
            f" {time.monotonic() - began:.0f} s"
        )
    checkpoint.load_best()
    return curves


def _rate(done: float, warm: float) -> float:
    """Share of the learning rate: a short rise, then half a cosine."""
    return done / warm + 1e-3 if done < warm else 0.5 * (1 + float(np.cos(np.pi * min(1.0, done)))) + 1e-3


def _logits(network: nn.Module, loader: DataLoader[Any], device: torch.device) -> NDArray[np.float64]:
    network.eval()
    with torch.inference_mode():
        parts = [
            network(batch.to(device, memory_format=torch.channels_last)).double().cpu() for batch, _ in loader
        ]
    out: NDArray[np.float64] = torch.cat(parts).numpy()
    return out


def _targets(loader: DataLoader[Any]) -> torch.Tensor:
    pictures = loader.dataset
    assert isinstance(pictures, Pictures)  # noqa: S101  it was made so above
    return torch.tensor(pictures.labels)


def _how(plan: ClassifierPlan, split: int) -> Augmentation | None:
    return plan.augmentation if split == TRAIN else None


def _loader(pictures: Pictures, plan: ClassifierPlan, split: int) -> DataLoader[Any]:
    training = split == TRAIN
    return DataLoader(
        pictures,
        batch_size=plan.batch,
        shuffle=training,
        # A last batch of one image has no statistics to normalise by.
        drop_last=training and len(pictures) > plan.batch,
        num_workers=plan.workers,
    )


def _chosen(
    images: list[NDArray[np.uint8]], labels: list[int], where: NDArray[np.bool_]
) -> tuple[list[NDArray[np.uint8]], list[int]]:
    places = np.flatnonzero(where)
    return [images[n] for n in places], [labels[n] for n in places]


def _class_weights(labels: list[int], split: NDArray[np.int64], count: int) -> torch.Tensor:
    """Rare classes weigh more, by the square root of how rare they are; the mean is 1."""
    sizes = np.bincount(np.array(labels)[split == TRAIN], minlength=count)
    weights = 1 / np.sqrt(np.maximum(sizes, 1))
    return torch.tensor(weights / weights.mean(), dtype=torch.float32)


def _sizes(split: NDArray[np.int64]) -> str:
    return ", ".join(f"{int((split == n).sum())} {name}" for n, name in enumerate(SPLITS))
