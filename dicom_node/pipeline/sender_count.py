"""Completeness by the sender's own count: where a study comes from is asked how many instances it has.

The question needs the original Study Instance UID. It is kept in memory only: after a restart it is read
again from an instance in the spool.
"""

from __future__ import annotations

import queue
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import structlog

from dicom_node.domain.errors import InternalError, NodeError
from dicom_node.pipeline.header import scan

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from datetime import datetime
    from typing import BinaryIO

    from dicom_node.domain.study import ReceivingStudy
    from dicom_node.ports.arrivals import Arrivals
    from dicom_node.ports.operation import Clock

    #: How many instances a study has at the sender, by its original UID; `None` where it does not say.
    Counter = Callable[[str], int | None]

log = structlog.get_logger(__name__)

#: Senders that are asked at a time: one that hangs does not keep the others waiting.
_AT_ONCE: Final = 4
#: Between two questions while everything that was counted is here and more keeps coming.
_SOON: Final = timedelta(seconds=0.5)
_FIRST_AGAIN: Final = timedelta(seconds=2)
_LONGEST_AGAIN: Final = timedelta(seconds=60)


@dataclass(slots=True)
class _Asked:
    """What one sender said of one study.

    Attributes
    ----------
    received
        Instances that ever came, those of purged runs too.
    count
        Its last answer; `None` where it gave none.
    told_at
        When the question was put that it answered.
    failed
        Whether it was asked and has never answered.
    again_at, pause
        Not asked before then; how long after that.
    """

    counter: Counter | None
    spool_ref: str
    version: int
    last_received_at: datetime
    received: int
    again_at: datetime
    pause: timedelta = _FIRST_AGAIN
    count: int | None = None
    told_at: datetime | None = None
    question: Future[int | None] | None = None
    asked_at: datetime | None = None
    failed: bool = False
    uid: str | None = field(default=None, repr=False)


class CountedSenders:
    """`complete.SenderCounts` over archives that can be asked.

    A study is whole when as many instances are here as its sender counts, and the sender was asked after the
    last of them came. While fewer are here quiet does not complete it, until `max_wait_s` after the last
    instance; the sender is asked again meanwhile, in growing pauses. Where it does not answer, quiet decides.

    Parameters
    ----------
    counters
        By `IncomingInstance.source`.
    open_blob
        Opens an instance in the spool.
    max_wait_s
        Seconds since the last instance after which quiet decides whatever the sender counts.
    """

    def __init__(
        self,
        arrivals: Arrivals,
        clock: Clock,
        counters: Mapping[str, Counter],
        open_blob: Callable[[str], BinaryIO],
        *,
        max_wait_s: float,
    ) -> None:
        self._arrivals = arrivals
        self._clock = clock
        self._counters = counters
        self._open_blob = open_blob
        self._max_wait = timedelta(seconds=max_wait_s)
        self._asked: dict[str, _Asked] = {}
        self._questions: queue.SimpleQueue[_Asked | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def whole(self) -> Collection[str]:
        """See `complete.SenderCounts.whole`; asks whom it is time to ask."""
        if not self._counters:
            return ()
        receiving = {study.id: study for study in self._arrivals.receiving()}
        for gone in self._asked.keys() - receiving.keys():
            del self._asked[gone]
        return [study.id for study in receiving.values() if self._is_whole(study)]

    def waits(self, study_id: str) -> bool:
        """See `complete.SenderCounts.waits`."""
        asked = self._asked.get(study_id)
        if asked is None or asked.counter is None or asked.failed:
            return False
        if self._clock.now() - asked.last_received_at > self._max_wait:
            return False
        if asked.told_at is None:
            return True
        if asked.count is None:
            return False
        # What an earlier run purged has been here: late instances need not wait for it.
        return asked.received < asked.count

    def close(self) -> None:
        """See `complete.SenderCounts.close`."""
        for _ in self._threads:
            self._questions.put(None)

    def _is_whole(self, study: ReceivingStudy) -> bool:
        asked = self._asked.get(study.id)
        if asked is None or asked.version != study.version:
            asked = self._asked[study.id] = self._new(study)
        if asked.counter is None:
            return False
        asked.last_received_at = study.last_received_at
        asked.received = study.received_instances
        self._collect(study.id, asked)
        here = self._arrivals.count_present(study.id) if asked.count else 0
        enough = bool(asked.count) and here >= (asked.count or 0)
        fresh = asked.told_at is not None and asked.told_at > study.last_received_at
        if enough and fresh:
            return True
        now = self._clock.now()
        soon = enough and (asked.asked_at is None or now >= asked.asked_at + _SOON)
        if asked.question is None and (soon or now >= asked.again_at):
            self._ask(asked)
        return False

    def _new(self, study: ReceivingStudy) -> _Asked:
        now = self._clock.now()
        for sender in self._arrivals.senders(study.id):
            counter = self._counters.get(sender.source)
            if counter is not None:
                return _Asked(
                    counter,
                    sender.spool_ref,
                    study.version,
                    study.last_received_at,
                    study.received_instances,
                    now,
                )
        return _Asked(None, "", study.version, study.last_received_at, study.received_instances, now)

    def _ask(self, asked: _Asked) -> None:
        asked.asked_at = self._clock.now()
        asked.question = Future()
        self._questions.put(asked)
        if len(self._threads) < _AT_ONCE:
            # Of no use once the node stops, and a sender may hang for long: nobody waits for them.
            self._threads.append(threading.Thread(target=self._serve, name="sender-count", daemon=True))
            self._threads[-1].start()

    def _serve(self) -> None:
        while (asked := self._questions.get()) is not None:
            question = asked.question
            if question is None:
                continue
            try:
                question.set_result(self._answer(asked))
            except Exception as exc:  # noqa: BLE001  whoever looks at the answer says what was wrong
                question.set_exception(exc)

    def _answer(self, asked: _Asked) -> int | None:
        if asked.counter is None:
            return None
        if asked.uid is None:
            with self._open_blob(asked.spool_ref) as stream:
                asked.uid = scan(stream).header.study_instance_uid
        return asked.counter(asked.uid)

    def _collect(self, study_id: str, asked: _Asked) -> None:
        if asked.question is None or not asked.question.done():
            return
        question, asked.question = asked.question, None
        try:
            # None, or none at all: the study is not there, or is not there yet.
            asked.count = question.result() or None
        except NodeError as exc:
            asked.failed = asked.told_at is None
            log.warning("study.not_counted", study_id=study_id, code=exc.code)
        except Exception as exc:  # noqa: BLE001  one bad answer must not end all looks
            asked.failed = asked.told_at is None
            log.error("study.not_counted", study_id=study_id, reason=str(InternalError.of(exc)))
        else:
            asked.failed = False
            asked.told_at = asked.asked_at
            log.info("study.counted", study_id=study_id, count=asked.count)
        asked.again_at = self._clock.now() + asked.pause
        asked.pause = min(asked.pause * 2, _LONGEST_AGAIN)
