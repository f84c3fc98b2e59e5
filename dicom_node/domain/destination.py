"""Where results go, which of them, and how hard the node tries."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from dicom_node.domain.study import StudyState

if TYPE_CHECKING:
    from datetime import datetime

    from dicom_node.domain.result import ResultKind


class Confirm(StrEnum):
    """How a destination says that it keeps what it took."""

    NONE = "none"
    COMMITMENT = "commitment"
    QUERY = "query"


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Which studies go to a destination; each condition that is given must hold.

    Attributes
    ----------
    modality, body_part, model, source
        One of these; empty: any. `source` is the calling AE title, or `stow` or `upload`.
    states
        How the version must have ended.
    """

    modality: frozenset[str] = frozenset()
    body_part: frozenset[str] = frozenset()
    model: frozenset[str] = frozenset()
    source: frozenset[str] = frozenset()
    states: frozenset[StudyState] = frozenset({StudyState.DONE})

    def admits(self, facts: DeliveryFacts) -> bool:
        """Whether a version with these facts is delivered."""
        wanted = (
            (self.modality, facts.modalities),
            (self.body_part, facts.body_parts),
            (self.model, facts.models),
            (self.source, facts.sources),
        )
        return facts.state in self.states and all(not some or some & found for some, found in wanted)


@dataclass(frozen=True, slots=True)
class DeliveryFacts:
    """What filters look at."""

    state: StudyState
    modalities: frozenset[str] = frozenset()
    body_parts: frozenset[str] = frozenset()
    models: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Destination:
    """Where results go, and how hard the node tries.

    Attributes
    ----------
    name
        As in the configuration.
    original_identity
        Whether the original patient and UIDs are restored before sending.
    max_attempts
        After so many failed tries without any progress the delivery is given up (status `failed`).
    max_age_s
        After so many seconds, too.
    backoff_s, max_backoff_s
        Bound of the wait after the first failure, which doubles, and the most that it becomes.
    concurrency
        Associations or requests at a time.
    kinds
        Which results it gets; empty: all.
    transfer_syntax
        UID of what results are converted to where that is possible without loss; `None`: as they are.
    confirm, confirm_timeout_s
        How it confirms, and how long that may take before what it does not have is sent again.
    breaker_failures, breaker_open_s
        After so many failures of the destination in a row nothing is tried for so long, which doubles.
    """

    name: str
    original_identity: bool = True
    max_attempts: int = 10
    max_age_s: float = 259_200.0
    backoff_s: float = 2.0
    max_backoff_s: float = 300.0
    concurrency: int = 1
    kinds: frozenset[ResultKind] = frozenset()
    when: DeliveryFilter = field(default_factory=DeliveryFilter)
    transfer_syntax: str | None = None
    confirm: Confirm = Confirm.NONE
    confirm_timeout_s: float = 300.0
    breaker_failures: int = 5
    breaker_open_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Closing:
    """How the analysis of a version ended, for what follows.

    Attributes
    ----------
    own_uids
        UIDs in the results that the node made itself; `None` where an earlier version of the node did not
        keep them.
    """

    study_id: str
    version: int
    state: StudyState
    reason: str | None
    own_uids: frozenset[str] | None
    decided_at: datetime
