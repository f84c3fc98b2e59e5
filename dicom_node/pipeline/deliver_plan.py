"""What is delivered where: decided once, when the analysis of a version has ended, and kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from dicom_node.domain.delivery import DeliveryObject, DeliveryStatus
from dicom_node.domain.destination import Closing, DeliveryFacts
from dicom_node.domain.errors import Gone, NotFound
from dicom_node.domain.run import RunStatus
from dicom_node.domain.study import StudyState
from dicom_node.pipeline.check import load_result
from dicom_node.pipeline.study_input import study_input

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dicom_node.domain.destination import Destination
    from dicom_node.domain.result import ResultEntry
    from dicom_node.pipeline.services import Services


#: A version is not ended before its deliveries, for so long; then, or as soon as late instances wait for the
#: next version, it is ended while they go on.
PATIENCE = timedelta(minutes=5)
#: Between two looks for late instances.
LATE_LOOK = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Ending:
    """What is to be done about a version now.

    Attributes
    ----------
    finish
        Whether to record its end.
    first
        Whether that is for the first time.
    again_at
        When to look again, though nothing changes until then.
    """

    state: StudyState
    reason: str | None
    finish: bool
    first: bool
    purge: bool
    again_at: datetime | None = None

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""
        return not self.finish and not self.purge


def prepare(services: Services, study_id: str, version: int, state: StudyState, reason: str | None) -> None:
    """Queue the deliveries of a version, and keep what they need once the inputs are purged."""
    entries = services.index.results(study_id, version)
    uids = {entry.sop_instance_uid: services.gate.uids(load_result(services, entry)) for entry in entries}
    closing = Closing(
        study_id, version, state, reason, own_uids(services, study_id, version, uids), services.clock.now()
    )
    facts = _facts(services, study_id, version, state)
    ordered = in_order(entries, uids)
    queued = {}
    for destination in (sender.destination for sender in services.senders):
        objects = objects_for(destination, ordered)
        if objects and destination.when.admits(facts):
            queued[destination.name] = objects
    services.deliveries.open(closing, queued)


def own_uids(
    services: Services, study_id: str, version: int, uids: Mapping[str, frozenset[str]]
) -> frozenset[str] | None:
    """UIDs in the results that are neither the study's nor the standard's; `None` where nobody can tell."""
    found = frozenset().union(*uids.values())
    try:
        return found - services.gate.study_uids(study_input(services, study_id, version))
    except (NotFound, Gone):
        return None if found else frozenset()


def in_order(entries: Sequence[ResultEntry], uids: Mapping[str, frozenset[str]]) -> list[ResultEntry]:
    """Results so that each comes after those that it refers to, else in the order given."""
    by_uid = {entry.sop_instance_uid: entry for entry in entries}
    rank = {uid: position for position, uid in enumerate(by_uid)}

    def references(uid: str) -> Iterator[str]:
        return iter(sorted(uids[uid] & rank.keys(), key=rank.__getitem__))

    ordered: dict[str, ResultEntry] = {}
    for start in by_uid:
        # Depth first without recursion; what refers to each other in a circle keeps the order given.
        stack = [(start, references(start))]
        seen = {start}
        while stack:
            uid, left = stack[-1]
            following = next((u for u in left if u not in ordered and u not in seen), None)
            if following is not None:
                seen.add(following)
                stack.append((following, references(following)))
            else:
                ordered.setdefault(uid, by_uid[uid])
                stack.pop()
    return list(ordered.values())


def objects_for(destination: Destination, ordered: Sequence[ResultEntry]) -> list[DeliveryObject]:
    """What a destination gets, in the order of sending."""
    wanted = [entry for entry in ordered if not destination.kinds or entry.kind in destination.kinds]
    return [DeliveryObject(position, entry.sop_instance_uid) for position, entry in enumerate(wanted)]


def ending(services: Services, study_id: str, version: int) -> Ending | None:
    """What is to be done about a version whose analysis has ended; `None` where it never did."""
    closing = services.deliveries.closing(study_id, version)
    if closing is None:
        return None
    now = services.clock.now()
    deliveries = services.deliveries.of_version(study_id, version)
    unsettled = [record for record in deliveries if record.settled_at is None]
    failed = [r.key.destination for r in deliveries if r.status is DeliveryStatus.FAILED]
    told = f"not delivered to {', '.join(failed)}" if failed else None
    reason = "; ".join(filter(None, (closing.reason, told))) or None
    study = services.index.study(study_id)
    first = study.version == version and study.state is StudyState.PROCESSING
    corrected = study.version == version and study.state is closing.state and study.reason != reason
    patient_until = closing.decided_at + PATIENCE
    ended = not unsettled or now >= patient_until or (first and services.index.has_late(study_id, version))
    due = max([closing.decided_at, *(r.settled_at for r in deliveries if r.settled_at is not None)])
    if closing.state is StudyState.DONE:
        due += timedelta(seconds=services.inputs_s)
    may_purge = not unsettled and (services.purge_undelivered or not failed)
    unpurged = study.purged_at is None
    return Ending(
        closing.state,
        reason,
        finish=(first and ended) or corrected,
        first=first,
        purge=may_purge and unpurged and due <= now,
        again_at=due if may_purge and unpurged and due > now else _look_at(now, patient_until, first=first),
    )


def _look_at(now: datetime, patient_until: datetime, *, first: bool) -> datetime | None:
    """When late instances may have come, or the patience ends, while the version is not ended."""
    return min(now + LATE_LOOK, max(patient_until, now)) if first else None


def _facts(services: Services, study_id: str, version: int, state: StudyState) -> DeliveryFacts:
    study = services.index.study(study_id)
    sources = {source.source for source in services.index.sources(study_id, version)}
    return DeliveryFacts(
        state=state,
        modalities=frozenset(study.modalities),
        body_parts=frozenset({study.body_part} if study.body_part else ()),
        models=frozenset(run.model for run in study.runs if run.status is not RunStatus.FAILED),
        sources=frozenset(source.removeprefix("dimse:") for source in sources),
    )
