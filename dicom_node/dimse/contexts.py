"""Presentation contexts: what the node offers to accept, and what it proposes when it sends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from pynetdicom import build_context
from pynetdicom.sop_class import Verification

from dicom_node.pipeline.accepted import is_taken_private, storage_sop_classes, transfer_syntaxes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from pynetdicom.presentation import PresentationContext

#: An association has at most 128 contexts: odd numbers from 1 to 255 (PS3.8 §9.3.2.2).
MAX_CONTEXTS = 128
#: What can be converted into each other without touching a pixel, best first.
UNCOMPRESSED = (
    str(ExplicitVRLittleEndian),
    str(ImplicitVRLittleEndian),
    str(DeflatedExplicitVRLittleEndian),
    str(ExplicitVRBigEndian),
)


def verification_context() -> PresentationContext:
    """Verification in the uncompressed transfer syntaxes."""
    return build_context(Verification, [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian])


def storage_contexts(
    proposed: Iterable[PresentationContext], *, private_sop_classes: Collection[str] | bool = False
) -> list[PresentationContext]:
    """The Storage contexts to accept from what a peer proposes.

    Every Storage SOP Class of the standard and every file transfer syntax is taken. Where one context
    names several transfer syntaxes the peer's order decides, so that what is compressed stays so.

    Parameters
    ----------
    private_sop_classes
        SOP Classes outside the standard's root that are taken too; True for all.

    References
    ----------
    PS3.8 §7.1.1.13, Table 9-18.
    """
    classes = storage_sop_classes()
    known = transfer_syntaxes()
    by_class: dict[str, list[str]] = {}
    for context in proposed:
        sop_class = str(context.abstract_syntax)
        if sop_class in classes or is_taken_private(sop_class, private_sop_classes):
            taken = by_class.setdefault(sop_class, [])
            taken += [str(s) for s in context.transfer_syntax if str(s) in known and str(s) not in taken]
    # Where no transfer syntax is left, one that was not proposed has the context refused for that reason
    # (transfer-syntaxes-not-supported), not for its SOP Class.
    return [
        build_context(sop_class, taken or [ImplicitVRLittleEndian]) for sop_class, taken in by_class.items()
    ]


@dataclass(frozen=True, slots=True)
class Proposal:
    """Contexts of one association, and the (SOP Class UID, transfer syntax UID) pairs that they are for."""

    contexts: tuple[PresentationContext, ...]
    pairs: frozenset[tuple[str, str]]


def propose(pairs: Iterable[tuple[str, str]]) -> list[Proposal]:
    """Plan the associations that are needed to send objects.

    An object's own transfer syntax stands alone in its context, so that a peer cannot choose to have
    pixels changed; for uncompressed objects a second context holds the two that every peer knows.

    Parameters
    ----------
    pairs
        (SOP Class UID, transfer syntax UID) of each object.
    """
    lots: list[tuple[dict[tuple[str, tuple[str, ...]], None], set[tuple[str, str]]]] = []
    for sop_class, transfer_syntax in dict.fromkeys(pairs):
        needed: list[tuple[str, tuple[str, ...]]] = [(sop_class, (transfer_syntax,))]
        if transfer_syntax in UNCOMPRESSED:
            needed.append((sop_class, UNCOMPRESSED[:2]))
        if not lots or len(lots[-1][0].keys() | set(needed)) > MAX_CONTEXTS:
            lots.append(({}, set()))
        lots[-1][0].update(dict.fromkeys(needed))
        lots[-1][1].add((sop_class, transfer_syntax))
    return [
        Proposal(
            tuple(build_context(sop_class, list(syntaxes)) for sop_class, syntaxes in contexts),
            frozenset(members),
        )
        for contexts, members in lots
    ]
