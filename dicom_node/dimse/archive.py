"""A PACS behind DIMSE, searched by C-FIND and emptied by C-GET or C-MOVE."""

from __future__ import annotations

import time
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeVar

import structlog

from dicom_node.dimse.archive_search import STUDY, ArchiveSearch, StudyListing
from dicom_node.dimse.get_scu import GetReceiver, get, get_lots, get_roles
from dicom_node.dimse.move_scu import ArrivalWatch, move, move_context
from dicom_node.dimse.request_line import open_line
from dicom_node.dimse.retrieval_plan import requests
from dicom_node.domain.errors import ArchiveFailed, ArchiveRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from dicom_node.dimse.association import Address
    from dicom_node.dimse.retrieval import Wanted
    from dicom_node.domain.pull import ArchivedInstance, StudyQuery
    from dicom_node.ports.archive import Intake

    _Outcome = TypeVar("_Outcome")

log = structlog.get_logger(__name__)

_LONGEST_PAUSE_S: Final = 60.0


class RetrieveWay(StrEnum):
    """How instances are had from an archive."""

    #: Over the association that asks for them.
    GET = "get"
    #: The archive sends them to the node's server.
    MOVE = "move"


class DimseArchive:
    """`ports.Archive` over DIMSE.

    Parameters
    ----------
    name
        As in the configuration; errors name it.
    wait
        Waits so many seconds; may raise to end the work.
    attempts
        How often a question is put, and how often in a row a retrieval may break off with nothing new.
    first_s
        Seconds before the second attempt; doubles each time.
    settle_s
        For C-MOVE: how long to wait for what the archive says it has sent and nobody saw arrive.
    """

    def __init__(
        self,
        name: str,
        address: Address,
        way: RetrieveWay,
        *,
        wait: Callable[[float], object] = time.sleep,
        attempts: int = 3,
        first_s: float = 0.5,
        settle_s: float = 3.0,
    ) -> None:
        self._name = name
        self._address = address
        self._way = way
        self._wait = wait
        self._attempts = attempts
        self._first_s = first_s
        self._settle_s = settle_s
        self._search = ArchiveSearch(name, address, lambda: wait(0))
        self._listings: dict[str, StudyListing] = {}

    @property
    def name(self) -> str:
        """See `ports.Archive.name`."""
        return self._name

    def find_studies(self, query: StudyQuery) -> Sequence[str]:
        """See `ports.Archive.find_studies`."""
        found = self._again(lambda: self._search.studies(query))
        return list(dict.fromkeys(study.text(STUDY) for study in found))

    def instances(self, study_instance_uid: str) -> Sequence[ArchivedInstance]:
        """See `ports.Archive.instances`."""
        listing = self._again(lambda: self._search.listing(study_instance_uid))
        self._listings[study_instance_uid] = listing
        return listing.instances

    def count(self, study_instance_uid: str) -> int | None:
        """See `ports.Archive.count`."""
        return self._again(lambda: self._search.count(study_instance_uid))

    def retrieve(self, study_instance_uid: str, wanted: Collection[ArchivedInstance], intake: Intake) -> None:
        """See `ports.Archive.retrieve`: the study, then its series, then lists of instances, then each."""
        retrieve = self._get if self._way is RetrieveWay.GET else self._move
        failed = 0
        here = intake.look()
        while True:
            try:
                retrieve(study_instance_uid, wanted, intake)
            except ArchiveFailed as exc:
                now_here = intake.look()
                # A connection that breaks off again and again still gets on.
                failed = 1 if now_here > here else failed + 1
                here = now_here
                if failed >= self._attempts or (wanted and not intake.missing()):
                    raise
                log.info("archive.tried_again", peer=self._name, code=exc.code)
                self._pause(failed)
            else:
                return

    def _get(self, study_instance_uid: str, wanted: Collection[ArchivedInstance], intake: Intake) -> None:
        classes = self._listing(study_instance_uid).sop_classes
        failure: ArchiveFailed | ArchiveRefused | None = None
        for contexts in get_lots(classes):
            if wanted and not intake.missing():
                return
            receiver = GetReceiver(self._name, study_instance_uid, intake)
            roles = get_roles(contexts)
            with open_line(
                self._address,
                self._name,
                contexts,
                items=roles,
                store=receiver.store,
                begin=receiver.begin,
            ) as line:
                if line is None:
                    raise ArchiveRefused(f"{self._name}: does not offer C-GET; set `retrieve: move` for it")
                for one in self._plan(study_instance_uid, wanted, intake):
                    done = get(line, self._name, one, receiver.tick)
                    failure = done.error or failure
                    if not (wanted or done.error or done.failed):
                        return
        self._complain(wanted, intake, failure)

    def _move(self, study_instance_uid: str, wanted: Collection[ArchivedInstance], intake: Intake) -> None:
        destination = self._address.calling_ae_title
        watch = ArrivalWatch(intake, self._wait, self._settle_s)
        failure: ArchiveFailed | ArchiveRefused | None = None
        with open_line(self._address, self._name, [move_context()]) as line:
            if line is None:
                raise ArchiveRefused(f"{self._name}: does not offer C-MOVE; set `retrieve: get` for it")
            for one in self._plan(study_instance_uid, wanted, intake):
                before = intake.look()
                done = move(line, self._name, destination, one, watch.tick)
                failure = done.error or failure
                if not wanted or intake.missing():
                    watch.settle(before, done.sent)
        self._complain(wanted, intake, failure)

    def _plan(
        self, study_instance_uid: str, wanted: Collection[ArchivedInstance], intake: Intake
    ) -> Iterable[Wanted]:
        listed = self._listing(study_instance_uid).instances
        return requests(study_instance_uid, listed, wanted, intake.missing)

    def _listing(self, study_instance_uid: str) -> StudyListing:
        return self._listings.get(study_instance_uid, StudyListing((), frozenset()))

    @staticmethod
    def _complain(
        wanted: Collection[ArchivedInstance],
        intake: Intake,
        failure: ArchiveFailed | ArchiveRefused | None,
    ) -> None:
        """Raise the last failure where something is missing for it."""
        if failure is not None and (not wanted or intake.missing()):
            raise failure

    def _again(self, work: Callable[[], _Outcome]) -> _Outcome:
        for attempt in range(1, self._attempts):
            try:
                return work()
            except ArchiveFailed:
                self._pause(attempt)
        return work()

    def _pause(self, attempt: int) -> None:
        self._wait(min(_LONGEST_PAUSE_S, self._first_s * 2 ** (attempt - 1)))
