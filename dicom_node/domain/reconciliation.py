"""Index, stores, keys and deliveries compared: what does not fit together."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dicom_node.domain.catalog import CatalogKind
    from dicom_node.domain.study import StudyState


class DiscrepancyKind(StrEnum):
    """What can be wrong, as metrics and reports name it."""

    INSTANCE_WITHOUT_BYTES = "instance-without-bytes"
    BYTES_WITHOUT_INSTANCE = "bytes-without-instance"
    SOURCE_WITHOUT_BYTES = "source-without-bytes"
    PURGE_UNFINISHED = "purge-unfinished"
    PURGED_WITH_BYTES = "purged-with-bytes"
    PURGED_WITH_KEY = "purged-with-key"
    BYTES_WITHOUT_STUDY = "bytes-without-study"
    KEY_WITHOUT_STUDY = "key-without-study"
    RESULT_WITHOUT_BYTES = "result-without-bytes"
    RESULT_NOT_PUBLISHED = "result-not-published"
    PUBLISHED_WITHOUT_RESULT = "published-without-result"
    BYTES_WITHOUT_RESULT = "bytes-without-result"
    EXPIRED_WITH_BYTES = "expired-with-bytes"
    QUARANTINED_WITHOUT_BYTES = "quarantined-without-bytes"
    BYTES_WITHOUT_QUARANTINED = "bytes-without-quarantined"
    IDENTITY_MISSING = "identity-missing"
    IDENTITY_LEFT_OVER = "identity-left-over"
    IDENTITY_WITHOUT_STUDY = "identity-without-study"
    STUDY_STUCK = "study-stuck"
    SUMS_DIFFER = "sums-differ"
    DELIVERY_TO_NOBODY = "delivery-to-nobody"
    DELIVERY_OF_NOTHING = "delivery-of-nothing"
    NOTIFICATION_TO_NOBODY = "notification-to-nobody"
    #: Found by the deep look only.
    BYTES_DAMAGED = "bytes-damaged"


#: What `--repair` mends: nothing of it can be read or was ever acknowledged.
REPAIRABLE = frozenset(
    {
        DiscrepancyKind.BYTES_WITHOUT_INSTANCE,
        DiscrepancyKind.PURGE_UNFINISHED,
        DiscrepancyKind.PURGED_WITH_BYTES,
        DiscrepancyKind.PURGED_WITH_KEY,
        DiscrepancyKind.EXPIRED_WITH_BYTES,
    }
)


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """One thing that does not fit; the same one has the same members in every look.

    Attributes
    ----------
    study_id
        The node's own id; empty where it is about no study.
    subject
        A blob's ref, a slot, a UID (pseudonymous), a destination: what it is about.
    text
        What to do, for people. Carries no identity.
    """

    kind: DiscrepancyKind
    study_id: str
    subject: str
    text: str
    repaired: bool = False


@dataclass(frozen=True, slots=True)
class ReconciliationReport:
    """One look at everything.

    Attributes
    ----------
    deep
        Whether bytes were read and verified.
    studies, blobs
        How many were looked at.
    counts
        Discrepancies by kind that remain, all of them.
    discrepancies
        The first of them, and what was repaired.
    """

    id: str
    started_at: datetime
    ended_at: datetime
    deep: bool
    repair: bool
    studies: int
    blobs: int
    counts: Mapping[str, int]
    discrepancies: tuple[Discrepancy, ...]

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return not any(self.counts.values())

    def as_json(self) -> dict[str, Any]:
        """A JSON-able form."""
        return asdict(self) | {
            "started_at": self.started_at.isoformat(),
            "ended_at": self.ended_at.isoformat(),
            "counts": dict(self.counts),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> ReconciliationReport:
        """Read what `as_json` wrote."""
        found = (d | {"kind": DiscrepancyKind(d["kind"])} for d in value["discrepancies"])
        return cls(
            **value
            | {
                "started_at": datetime.fromisoformat(value["started_at"]),
                "ended_at": datetime.fromisoformat(value["ended_at"]),
                "counts": Counter(value["counts"]),
                "discrepancies": tuple(Discrepancy(**each) for each in found),
            }
        )


@dataclass(frozen=True, slots=True)
class SourceFact:
    """A source instance whose bytes must be there."""

    sop_instance_uid: str
    ref: str
    sha256: str


@dataclass(frozen=True, slots=True)
class PurgeFact:
    """A purge that began."""

    epoch: int
    begun_at: datetime
    purged_at: datetime | None


@dataclass(frozen=True, slots=True)
class ResultFact:
    """A result that the index lists."""

    version: int
    sop_instance_uid: str
    ref: str


@dataclass(frozen=True, slots=True)
class PublishedFact:
    """An object that can be searched and fetched."""

    kind: CatalogKind
    version: int
    sop_instance_uid: str
    ref: str


@dataclass(frozen=True, slots=True)
class HeldFact:
    """An instance in quarantine."""

    id: str
    ref: str


@dataclass(frozen=True, slots=True)
class StudyFacts:
    """All that the database says of one study, at one moment.

    Attributes
    ----------
    completed_at
        When the current version was taken as complete; `None` before, and before the ledger.
    closed
        Whether its analysis ended, so that only deliveries hold it up.
    made
        SHA-256 (`None`: made before the ledger) by version and SOP Instance UID of the result objects that
        have not expired, those that were kept back too.
    expired
        Versions whose results have all expired.
    open_deliveries
        (version, destination) of deliveries that are not at their end.
    stray_deliveries
        (destination, SOP Instance UID) of objects to deliver that the gate never passed.
    sums
        What does not add up in its ledger.
    """

    id: str
    state: StudyState
    version: int
    epoch: int
    last_received_at: datetime
    completed_at: datetime | None
    ended_at: datetime | None
    closed: bool
    identity: bool
    sources: tuple[SourceFact, ...] = ()
    purges: tuple[PurgeFact, ...] = ()
    results: tuple[ResultFact, ...] = ()
    published: tuple[PublishedFact, ...] = ()
    made: Mapping[tuple[int, str], str | None] = field(default_factory=dict)
    expired: frozenset[int] = frozenset()
    held: tuple[HeldFact, ...] = ()
    open_deliveries: tuple[tuple[int, str], ...] = ()
    stray_deliveries: tuple[tuple[str, str], ...] = ()
    sums: tuple[str, ...] = ()
