"""Counts of the ledger in words, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dicom_node.domain.ledger import DestinationCounts, InstanceCounts, ResultCounts


def instance_words(counts: InstanceCounts) -> str:
    """As `4 de-identified, 1 in quarantine; 5 purged`."""
    parts = (
        (counts.deidentified, "de-identified"),
        (counts.quarantined, "kept back"),
        (counts.waiting, "waiting"),
        (counts.withdrawn, "withdrawn"),
    )
    return _joined(parts) + (f"; {counts.purged} purged" if counts.purged else "")


def result_words(counts: ResultCounts) -> str:
    """As `3 passed the gate, 1 kept back`."""
    parts = (
        (counts.passed, "passed the gate"),
        (counts.kept_back, "kept back"),
        (counts.unchecked, "not checked yet"),
    )
    return _joined(parts) + (f"; {counts.expired} expired" if counts.expired else "")


def destination_words(counts: DestinationCounts) -> str:
    """As `3 confirmed, 1 waiting`."""
    parts = (
        (counts.confirmed, "confirmed"),
        (counts.sent, "sent"),
        (counts.waiting, "waiting"),
        (counts.dead, "given up"),
        (counts.discarded, "discarded"),
    )
    return _joined(parts) + (f"; {counts.left_out} not asked for" if counts.left_out else "")


def _joined(parts: tuple[tuple[int, str], ...]) -> str:
    return ", ".join(f"{count} {words}" for count, words in parts if count) or "none"
