"""The loop of every training: epochs, schedule, running mean of the weights, early stopping, checkpoints."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from inference.networks.build import stages
from inference.training.checkpoint import Checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class LoopPlan:
    """How weights are fitted, whatever the task.

    Attributes
    ----------
    frozen_stages
        Of `inference.networks.build.stages`, this many leading ones keep their weights and statistics.
    head_factor
        The last stage learns this much faster.
    average
        Validated and kept is a running mean of the weights with this decay a step; 0 takes them as they are.
    patience
        Epochs without a better validation loss until training ends.
    device
        `cpu` or `cuda`; on the latter in mixed precision (bfloat16).
    """

    epochs: int = 20
    learning_rate: float = 5e-4
    head_factor: float = 4.0
    weight_decay: float = 0.02
    frozen_stages: int = 0
    average: float = 0.0
    patience: int = 6
    seed: int = 20
    device: str = "cpu"


class Task(Protocol):
    """What a training is about."""

    def batches(self, epoch: int) -> Iterable[tuple[Tensor, Tensor]]:
        """Inputs and targets of one epoch, changed anew; `len` of it are the steps."""

    def steps(self) -> int:
        """Batches an epoch."""

    def loss(self, scores: Tensor, targets: Tensor) -> Tensor:
        """What is minimised."""

    def judge(self, network: nn.Module) -> dict[str, float]:
        """Figures of the validation split; `validation_loss` is one of them."""


def fit(
    network: nn.Module, task: Task, plan: LoopPlan, folder: Path, report: Callable[[str], None]
) -> list[dict[str, float]]:
    """Fit `network` in place and leave it with its best weights.

    Parameters
    ----------
    folder
        Holds the checkpoint; a training that was broken off goes on from it.
    report
        Gets a line an epoch.

    Returns
    -------
    list
        Figures of each epoch.

    Raises
    ------
    ConfigurationError
        If the checkpoint belongs to another training.
    """
    device = torch.device(plan.device)
    frozen, optimizer = _prepare(network, plan)
    steps = max(1, task.steps() * plan.epochs)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: learning_share(step / steps, warm=0.5 / plan.epochs)
    )
    mean = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(plan.average), use_buffers=True)
    checkpoint = Checkpoint(folder, network, mean, optimizer, schedule)
    curves = checkpoint.resume()
    for epoch in range(len(curves), plan.epochs):
        if checkpoint.epochs_since_best >= plan.patience:
            report(f"no better validation loss for {plan.patience} epochs: training ends")
            break
        began = time.monotonic()
        torch.manual_seed(plan.seed * 1000 + epoch)
        network.train()
        for part in frozen:
            part.eval()
        losses = []
        for inputs, targets in task.batches(epoch):
            with torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda"):
                scores = network(inputs.to(device))
            loss = task.loss(scores.float(), targets.to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            mean.update_parameters(network)
            losses.append(float(loss.detach()))
        mean.module.eval()
        point = {"training_loss": round(float(np.mean(losses)), 4), **task.judge(mean.module)}
        curves.append(point)
        checkpoint.save(curves)
        shown = ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in point.items())
        report(f"epoch {epoch + 1}/{plan.epochs}: {shown}, {time.monotonic() - began:.0f} s")
    checkpoint.load_best()
    network.eval()
    return curves


def learning_share(done: float, warm: float) -> float:
    """Share of the learning rate after a share of the steps: a short rise, then half a cosine."""
    return done / warm + 1e-3 if done < warm else 0.5 * (1 + float(np.cos(np.pi * min(1.0, done)))) + 1e-3


def _prepare(network: nn.Module, plan: LoopPlan) -> tuple[list[nn.Module], torch.optim.Optimizer]:
    parts = stages(network)
    frozen = parts[: min(plan.frozen_stages, len(parts) - 1)]
    for part in frozen:
        part.requires_grad_(requires_grad=False)
    body = [p for part in parts[len(frozen) : -1] for p in part.parameters()]
    groups = [{"params": list(parts[-1].parameters()), "lr": plan.learning_rate * plan.head_factor}]
    if body:
        groups.append({"params": body, "lr": plan.learning_rate})
    return frozen, torch.optim.AdamW(groups, weight_decay=plan.weight_decay)
