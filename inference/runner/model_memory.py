"""What a model process holds in memory. Linux; elsewhere the figures are coarser."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import resource
import sys
from pathlib import Path

_MIB = 2**20


def die_first() -> None:
    """When memory runs out, the kernel shall end this process and not the node."""
    try:
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    except OSError:
        return


def keep_loaded() -> None:
    """Spare what was loaded from all later collections, each of which would take a fifth of a second."""
    gc.collect()
    gc.freeze()


def give_back() -> None:
    """Return what is free to the system."""
    gc.collect()
    try:
        # A run needs over a gigabyte for seconds; without this the C library keeps it.
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):
        return


def start_counting() -> None:
    """Let `peak_mb` count from now on, where the system can."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.reset_peak_memory_stats()


def peak_mb() -> int:
    """The most memory of this process at once, MiB."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) // 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # macOS counts bytes, others KiB.
    return peak // _MIB if sys.platform == "darwin" else peak // 1024


def gpu_peak_mb() -> int:
    """The most memory of a GPU that torch held at once, MiB; 0 without one."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return 0
    return int(torch.cuda.max_memory_allocated()) // _MIB
