"""Limits that hold over all receiver processes: counted in the main process, asked for by the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from dicom_node.dimse.limits import Caller, CountedLimits, Limits

_ADMIT, _PAUSE = "admit", "pause"


class LimitsDesk:
    """`receiver_pool.Desk`: answers what `AskedLimits` asks."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def answer(self, _receiver: int, what: str, facts: dict[str, Any], /) -> Any:
        """Count for a receiver.

        Raises
        ------
        KeyError
            If the question is another one.
        """
        if what == _ADMIT:
            return self._limits.admit((facts["host"], facts["port"]), facts["peer"])
        if what == _PAUSE:
            return self._limits.pause(facts["peer"])
        raise KeyError(what)

    def forget(self, _receiver: int, /) -> None:
        """Do nothing: the pool releases the connections that it handed over."""


class AskedLimits:
    """`Limits` in a receiver process.

    Connections are counted where they are accepted, and released there when their end is told.

    Parameters
    ----------
    ask
        Asks the main process.
    configured
        The limits that apply, for what needs no question.
    """

    def __init__(self, ask: Callable[..., Any], configured: CountedLimits) -> None:
        self._ask = ask
        self._configured = configured

    def connect(self, caller: Caller) -> bool:  # noqa: ARG002 - the protocol's
        """See `Limits.connect`: it was counted before it came here."""
        return True

    def admit(self, caller: Caller, peer: str) -> str | None:
        """See `Limits.admit`."""
        reached: str | None = self._ask(_ADMIT, host=caller[0], port=caller[1], peer=peer)
        return reached

    def is_paced(self, peer: str) -> bool:
        """See `Limits.is_paced`."""
        return self._configured.is_paced(peer)

    def pause(self, peer: str) -> float:
        """See `Limits.pause`."""
        return float(self._ask(_PAUSE, peer=peer))

    def release(self, caller: Caller) -> None:
        """See `Limits.release`: the end of the connection tells it."""
