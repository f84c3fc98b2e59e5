"""Complete stage: a study of which all has come goes on to the pipeline."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

import structlog

from dicom_node.domain.study import Completion
from dicom_node.pipeline.polling import PollingThread

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from dicom_node.ports.operation import Clock
    from dicom_node.ports.studies import StudyIndex

log = structlog.get_logger(__name__)


class SenderCounts(Protocol):
    """What senders say of their studies."""

    def whole(self) -> Collection[str]:
        """Ids of receiving studies of which everything that the sender counts is here."""

    def waits(self, study_id: str) -> bool:
        """Whether more is to come, or the sender has not answered yet: then quiet does not complete it."""

    def close(self) -> None:
        """Ask nobody any more."""


class _NoCounts:
    """Nobody is asked."""

    def whole(self) -> Collection[str]:
        return ()

    def waits(self, study_id: str) -> bool:  # noqa: ARG002 (as the protocol has it)
        return False

    def close(self) -> None:
        return None


class CompletionMonitor:
    """Looks for studies that are complete and starts their pipeline.

    Parameters
    ----------
    start
        Starts the pipeline for (study id, version); calling it twice for the same pair starts it once.
    quiet_s
        Seconds since the last instance.
    poll_s
        Seconds between two looks.
    held
        Whether more instances of a study are known to come: then quiet does not complete it.
    counts
        What senders say; without it quiet decides for all.
    brought
        Whether who brings a study is still connected: then quiet does not complete it either, until
        `max_wait_s` after the last instance.
    """

    def __init__(
        self,
        index: StudyIndex,
        clock: Clock,
        start: Callable[[str, int], None],
        *,
        quiet_s: float,
        poll_s: float = 0.2,
        held: Callable[[str], bool] = lambda _study_id: False,
        counts: SenderCounts | None = None,
        brought: Callable[[str], bool] = lambda _study_id: False,
        max_wait_s: float = 600,
    ) -> None:
        self._index = index
        self._clock = clock
        self._start = start
        self._quiet = timedelta(seconds=quiet_s)
        self._held = held
        self._counts: SenderCounts = counts or _NoCounts()
        self._brought = brought
        self._max_wait = timedelta(seconds=max_wait_s)
        self._polling = PollingThread("completion", self.tick, every_s=poll_s)

    def resume(self) -> int:
        """Start the pipeline of every study that an earlier process left in `processing`."""
        unfinished = self._index.unfinished()
        for study_id, version in unfinished:
            self._start(study_id, version)
        return len(unfinished)

    def tick(self) -> int:
        """Take every study that is whole or has been quiet long enough; return how many."""
        taken = sum(
            self.complete(study_id, Completion.COUNT)
            for study_id in self._counts.whole()
            if not self._held(study_id)
        )
        due = self._quiet_studies()
        return taken + sum(
            self.complete(study_id, Completion.QUIET)
            for study_id in due
            if not self._counts.waits(study_id) and not self._held(study_id)
        )

    def _quiet_studies(self) -> list[str]:
        now = self._clock.now()
        due = self._index.due(now - self._quiet)
        open_ = {study_id for study_id in due if self._brought(study_id)}
        if open_:
            # A connection that is never closed must not keep a study for ever.
            open_.difference_update(self._index.due(now - self._max_wait))
        return [study_id for study_id in due if study_id not in open_]

    def complete(self, study_id: str, why: Completion = Completion.CALL) -> bool:
        """Take one study now, quiet or not; `False` where it is not receiving."""
        # A crash between these two lines leaves the study in `processing`: `resume` starts it.
        version = self._index.begin_processing(study_id, why)
        if version is None:
            return False
        log.info("study.complete", study_id=study_id, version=version, reason=why.value)
        self._start(study_id, version)
        return True

    def start(self) -> None:
        """Resume what was left, then keep looking in a thread."""
        resumed = self.resume()
        if resumed:
            log.info("pipeline.resumed", count=resumed)
        self._polling.start()

    def stop(self) -> None:
        """Stop looking."""
        self._polling.stop()
        self._counts.close()
