"""Complete stage: a study that has been quiet long enough goes on to the pipeline."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from dicom_node.pipeline.polling import PollingThread

if TYPE_CHECKING:
    from collections.abc import Callable

    from dicom_node.ports.operation import Clock
    from dicom_node.ports.studies import StudyIndex

log = structlog.get_logger(__name__)


class CompletionMonitor:
    """Looks for quiet studies and starts their pipeline.

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
    ) -> None:
        self._index = index
        self._clock = clock
        self._start = start
        self._quiet = timedelta(seconds=quiet_s)
        self._held = held
        self._polling = PollingThread("completion", self.tick, every_s=poll_s)

    def resume(self) -> int:
        """Start the pipeline of every study that an earlier process left in `processing`."""
        unfinished = self._index.unfinished()
        for study_id, version in unfinished:
            self._start(study_id, version)
        return len(unfinished)

    def tick(self) -> int:
        """Take every study that has been quiet long enough; return how many."""
        due = self._index.due(self._clock.now() - self._quiet)
        return sum(self.complete(study_id) for study_id in due if not self._held(study_id))

    def complete(self, study_id: str) -> bool:
        """Take one study now, quiet or not; `False` where it is not receiving."""
        # A crash between these two lines leaves the study in `processing`: `resume` starts it.
        version = self._index.begin_processing(study_id)
        if version is None:
            return False
        log.info("study.complete", study_id=study_id, version=version)
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
