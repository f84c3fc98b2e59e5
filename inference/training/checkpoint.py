"""Keeps what a training needs to go on after it was broken off, and its best weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from dicom_node.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

FILE_NAME, BEST_NAME = "checkpoint.pt", "best.pt"


class Checkpoint:
    """The checkpoint of one training in its folder."""

    def __init__(
        self, folder: Path, network: nn.Module, mean: nn.Module, optimizer: Any, schedule: Any
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._network = network
        self._mean = mean
        self._optimizer = optimizer
        self._schedule = schedule
        self._curves: list[dict[str, float]] = []

    @property
    def epochs_since_best(self) -> int:
        """Epochs since the least validation loss."""
        losses = [point["validation_loss"] for point in self._curves]
        return len(losses) - 1 - losses.index(min(losses)) if losses else 0

    def resume(self) -> list[dict[str, float]]:
        """Load what there is; the curves of the epochs that are done.

        Raises
        ------
        ConfigurationError
            If the file belongs to another network or plan.
        """
        path = self._folder / FILE_NAME
        if not path.is_file():
            return []
        try:
            state = torch.load(path, weights_only=True)
            self._network.load_state_dict(state["network"])
            self._mean.load_state_dict(state["mean"])
            self._optimizer.load_state_dict(state["optimizer"])
            self._schedule.load_state_dict(state["schedule"])
        except (RuntimeError, ValueError, KeyError, EOFError) as exc:
            raise ConfigurationError(
                f"{path.name} in the output folder belongs to another training or is damaged;"
                " delete it to begin anew"
            ) from exc
        self._curves = list(state["curves"])
        return list(self._curves)

    def save(self, curves: list[dict[str, float]]) -> None:
        """Write the state after an epoch, and the weights where they are the best so far."""
        self._curves = list(curves)
        state = {
            "network": self._network.state_dict(),
            "mean": self._mean.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
            "curves": self._curves,
        }
        if not self.epochs_since_best:
            torch.save(self._mean.module.state_dict(), self._folder / BEST_NAME)
        part = self._folder / f"{FILE_NAME}.part"
        torch.save(state, part)
        part.replace(self._folder / FILE_NAME)

    def load_best(self) -> None:
        """Give the network its best weights."""
        path = self._folder / BEST_NAME
        if path.is_file():
            self._network.load_state_dict(torch.load(path, weights_only=True))
