"""What does not fit together of one study. Pure: facts of the database and of the stores come in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from dicom_node.domain.catalog import CatalogKind
from dicom_node.domain.reconciliation import Discrepancy
from dicom_node.domain.reconciliation import DiscrepancyKind as Kind
from dicom_node.domain.study import ENDED, StudyState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from dicom_node.domain.reconciliation import StudyFacts
    from dicom_node.pipeline.reconcile_holdings import Holdings


@dataclass(frozen=True, slots=True)
class Rules:
    """What counts as wrong.

    Attributes
    ----------
    grace
        Younger bytes may be on their way into the index, younger purges on their way to their end.
    stuck
        A study that nothing has happened to for so long should have gone on.
    results_days
        As in the configuration: when results go, and the identity with them.
    destinations
        Names of the configured ones.
    works, holds
        Whether the workflow engine has a version of a study; whether a study waits for a pull.
    """

    grace: timedelta
    stuck: timedelta
    results_days: int
    destinations: frozenset[str]
    works: Callable[[str, int], bool]
    holds: Callable[[str], bool]


def check_study(facts: StudyFacts, there: Holdings, rules: Rules, now: datetime) -> list[Discrepancy]:
    """Everything that is wrong with a study."""
    found = [
        *_inputs(facts, there, rules, now),
        *_purges(facts, there, rules, now),
        *_results(facts, there, rules, now),
        *_identity(facts, rules, now),
        *_progress(facts, rules, now),
        *_deliveries(facts, rules),
    ]
    return [Discrepancy(kind, facts.id, subject, text) for kind, subject, text in found]


_Found = tuple[Kind, str, str]


def _inputs(facts: StudyFacts, there: Holdings, rules: Rules, now: datetime) -> Iterator[_Found]:
    spooled = {blob.ref for blobs in there.spool.values() for blob in blobs}
    readable = facts.epoch in there.keys
    for source in facts.sources:
        if source.ref not in spooled or not readable:
            text = "its bytes are gone" if readable else "its key is gone"
            yield Kind.INSTANCE_WITHOUT_BYTES, source.ref, f"{text}; have the study sent again"
    listed = {source.ref for source in facts.sources}
    for blob in there.spool.get(facts.epoch, ()):
        if blob.ref not in listed and now - blob.modified_at > rules.grace:
            yield Kind.BYTES_WITHOUT_INSTANCE, blob.ref, "no instance has these bytes; --repair removes them"
    worked = {blob.ref for blobs in there.work.values() for blob in blobs}
    for each in facts.published:
        if each.kind is CatalogKind.SOURCE and each.ref not in worked:
            text = "it can be searched, but not fetched; have the study sent again"
            yield Kind.SOURCE_WITHOUT_BYTES, each.ref, text
    for held in facts.held:
        if held.ref not in there.quarantine:
            text = "its bytes or its key are gone; delete it from the quarantine"
            yield Kind.QUARANTINED_WITHOUT_BYTES, held.ref, text


def _purges(facts: StudyFacts, there: Holdings, rules: Rules, now: datetime) -> Iterator[_Found]:
    for purge in facts.purges:
        slot = f"{facts.id}/{purge.epoch}"
        if purge.purged_at is None:
            if now - purge.begun_at > rules.grace:
                yield Kind.PURGE_UNFINISHED, slot, "a purge did not come to its end; --repair ends it"
            continue
        left = [*there.spool.get(purge.epoch, ()), *there.work.get(purge.epoch, ())]
        if left and now - purge.purged_at > rules.grace:
            text = f"{len(left)} files are left of what is purged; --repair removes them"
            yield Kind.PURGED_WITH_BYTES, slot, text
        # A sender that was slower than the purge may make a key anew, and finds out before it is answered.
        since = there.keys.get(purge.epoch)
        if since is not None and now - max(since, purge.purged_at) > rules.grace:
            yield Kind.PURGED_WITH_KEY, slot, "the key of what is purged is left; --repair destroys it"


def _results(facts: StudyFacts, there: Holdings, rules: Rules, now: datetime) -> Iterator[_Found]:
    stored = {blob.ref for blobs in there.results.values() for blob in blobs}
    published = {each.sop_instance_uid for each in facts.published if each.kind is CatalogKind.RESULT}
    ended = facts.state in ENDED
    for result in facts.results:
        current = result.version == facts.version and ended
        if result.ref not in stored and (current or result.sop_instance_uid in published):
            yield (
                Kind.RESULT_WITHOUT_BYTES,
                result.ref,
                "the result's file is gone; have the study sent again",
            )
        if current and result.sop_instance_uid not in published:
            yield (
                Kind.RESULT_NOT_PUBLISHED,
                result.ref,
                "nobody can find this result; have the study sent again",
            )
    indexed = {result.sop_instance_uid for result in facts.results}
    for each in facts.published:
        if each.kind is CatalogKind.RESULT and ended and each.sop_instance_uid not in indexed:
            text = "it can be fetched, but the index knows no such result; report this as a fault"
            yield Kind.PUBLISHED_WITHOUT_RESULT, each.ref, text
    ledgered = {version for (version, _), sha256 in facts.made.items() if sha256 is not None}
    for version, blobs in there.results.items():
        if blobs and version in facts.expired:
            text = f"{len(blobs)} files are left of expired results; --repair removes them"
            yield Kind.EXPIRED_WITH_BYTES, f"{facts.id}/{version}", text
        for blob in blobs if version in ledgered and ended else ():
            name = blob.ref.rpartition("/")[2].removesuffix(".dcm")
            if (version, name) not in facts.made and now - blob.modified_at > rules.grace:
                text = "no result has this file; it goes with the study's results"
                yield Kind.BYTES_WITHOUT_RESULT, blob.ref, text


def _identity(facts: StudyFacts, rules: Rules, now: datetime) -> Iterator[_Found]:
    if facts.results and not facts.identity:
        text = (
            "the original identity is gone: results cannot be delivered under it; have the study sent again"
        )
        yield Kind.IDENTITY_MISSING, facts.id, text
    # Retention looks every hour; a day more says that it failed.
    limit = timedelta(days=rules.results_days + 1)
    over = facts.state in ENDED and facts.ended_at is not None and now - facts.ended_at > limit
    if facts.identity and over and not (facts.results or facts.sources or facts.held):
        text = "the original identity is kept though nothing needs it; look into the log for `polling.failed`"
        yield Kind.IDENTITY_LEFT_OVER, facts.id, text


def _progress(facts: StudyFacts, rules: Rules, now: datetime) -> Iterator[_Found]:
    if facts.state is StudyState.RECEIVING and facts.sources:
        quiet = now - facts.last_received_at > rules.stuck
        if quiet and not rules.holds(facts.id):
            text = "it is complete, but was not started; restart the node"
            yield Kind.STUDY_STUCK, f"{facts.id}/receiving", text
    if facts.state is StudyState.PROCESSING and not facts.closed:
        since = facts.completed_at or facts.last_received_at
        if now - since > rules.stuck and not rules.works(facts.id, facts.version):
            yield Kind.STUDY_STUCK, f"{facts.id}/processing", "no workflow works on it; restart the node"


def _deliveries(facts: StudyFacts, rules: Rules) -> Iterator[_Found]:
    for version, destination in facts.open_deliveries:
        if destination not in rules.destinations:
            text = f"destination {destination} is not configured; add it again, or discard the delivery"
            yield Kind.DELIVERY_TO_NOBODY, f"{destination}/{version}", text
    for destination, uid in facts.stray_deliveries:
        text = f"an object is queued for {destination} that the gate did not pass; report this as a fault"
        yield Kind.DELIVERY_OF_NOTHING, f"{destination}/{uid}", text
    for text in facts.sums:
        yield Kind.SUMS_DIFFER, text, text
