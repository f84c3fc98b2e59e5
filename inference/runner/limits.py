"""What model processes may use of the machine."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

import psutil

_MIB = 2**20
#: A run may hold this many times what its manifest says, besides the headroom.
MEMORY_FACTOR = 1.5
#: MiB of voxels: a dozen series of thin MR slices, or the half of one large CT series.
BATCH_MB = 128
#: MiB that every process may hold for its libraries; those of a GPU take more.
HEADROOM_MB, GPU_HEADROOM_MB = 1024, 4096


@dataclass(frozen=True, slots=True)
class RunLimits:
    """Bounds of all runs together, and of each.

    Attributes
    ----------
    memory_budget_mb
        What the processes that are kept may need together, by their manifests, MiB; `None` is half of the
        machine's memory.
    concurrency
        Runs at once on the processor; its cores are divided among them.
    gpu_runs
        Runs at once on a GPU.
    batch_mb
        A model takes series of a study together until their voxels (float32) reach this, MiB; with 0 each
        alone.
    headroom_mb
        MiB that a process on the processor may hold besides `MEMORY_FACTOR` times what its manifest says.
    """

    memory_budget_mb: int | None = None
    concurrency: int = 1
    gpu_runs: int = 1
    batch_mb: int = BATCH_MB
    headroom_mb: int = HEADROOM_MB

    @property
    def budget_mb(self) -> int:
        """The memory budget, MiB."""
        return self.memory_budget_mb or machine_memory_mb() // 2

    @property
    def threads(self) -> int:
        """Processors for each run."""
        return max(1, usable_processors() // self.concurrency)

    def most_mb(self, memory_mb: int, *, gpu: bool) -> int:
        """What a process may hold in a run whose manifest says `memory_mb`, MiB."""
        return round(memory_mb * MEMORY_FACTOR) + self.resting_mb(0, gpu=gpu)

    def resting_mb(self, memory_mb: int, *, gpu: bool) -> int:
        """What a process may still hold after such a run, MiB; with more it leaks."""
        return memory_mb + (max(GPU_HEADROOM_MB, self.headroom_mb) if gpu else self.headroom_mb)


def machine_memory_mb() -> int:
    """Memory of the machine, or of the container where that has less, MiB."""
    total = int(psutil.virtual_memory().total)
    # Nothing to read where there is no container, or one without a limit.
    with contextlib.suppress(OSError, ValueError):
        total = min(total, int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii")))
    return total // _MIB


def usable_processors() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
