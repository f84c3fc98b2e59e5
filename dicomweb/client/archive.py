"""A PACS behind DICOMweb, searched by QIDO-RS and emptied by WADO-RS.

References
----------
PS3.18 §10.4, §10.6.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import structlog

from dicom_node.domain.errors import ArchiveFailed, ArchiveRefused, InvalidInstance, NodeError
from dicom_node.domain.pull import ArchivedInstance
from dicomweb.client.connection import NO_ACCESS, Access, connect
from dicomweb.client.retrieve import retrieve
from dicomweb.client.retry import Retry
from dicomweb.client.search import first_number, first_text, search
from dicomweb.part10 import read_identity
from dicomweb.part_spool import MemoryScratch

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from typing import BinaryIO

    import httpx

    from dicom_node.domain.pull import StudyQuery
    from dicom_node.ports.archive import Intake
    from dicom_node.ports.stores import ScratchFile

log = structlog.get_logger(__name__)

_STUDY, _SERIES, _INSTANCE = "0020000D", "0020000E", "00080018"
#: Number of Study Related Instances.
_COUNT = "00201208"
_UID = re.compile(r"[0-9]+(\.[0-9]+)*")


class DicomwebArchive:
    """`ports.Archive` over DICOMweb.

    Parameters
    ----------
    name
        As in the configuration; errors name it, and never the URL that was asked.
    url
        DICOMweb base URL, without `/studies`.
    retry
        For each request; the wait that the archive asks for (Retry-After) is kept.
    open_scratch
        Makes the file that an instance goes to which is too large for memory.
    """

    def __init__(
        self,
        name: str,
        url: str,
        access: Access = NO_ACCESS,
        *,
        timeout_s: float = 60.0,
        retry: Retry | None = None,
        open_scratch: Callable[[], ScratchFile] = MemoryScratch,
    ) -> None:
        self._name = name
        self._url = url
        self._access = access
        self._timeout_s = timeout_s
        self._retry = retry or Retry()
        self._open_scratch = open_scratch

    @property
    def name(self) -> str:
        """See `ports.Archive.name`."""
        return self._name

    def _connect(self) -> httpx.Client:
        return connect(self._url, self._access, self._timeout_s)

    def find_studies(self, query: StudyQuery) -> Sequence[str]:
        """See `ports.Archive.find_studies`.

        Raises
        ------
        InvalidInstance
            If the query holds wildcards.
        ArchiveFailed, ArchiveRefused
        """
        if query.has_wildcards:
            raise InvalidInstance("a pull names its studies exactly: leave out *, ? and \\")
        with self._connect() as client:
            found = self._all(client, "studies", query.keys, _STUDY)
        return [uid for study in found if is_uid(uid := first_text(study, _STUDY))]

    def instances(self, study_instance_uid: str) -> Sequence[ArchivedInstance]:
        """See `ports.Archive.instances`."""
        with self._connect() as client:
            try:
                found = self._all(client, f"studies/{study_instance_uid}/instances", {}, _INSTANCE)
                listed = [(first_text(item, _SERIES), first_text(item, _INSTANCE)) for item in found]
                if all(is_uid(uid) for pair in listed for uid in pair):
                    return [ArchivedInstance(study_instance_uid, *pair) for pair in listed]
            except ArchiveRefused:
                # Not every service lists the instances of a study; all list those of a series.
                log.info("archive.lists_by_series", peer=self._name)
            path = f"studies/{study_instance_uid}/series"
            series_uids = [first_text(item, _SERIES) for item in self._all(client, path, {}, _SERIES)]
            return [
                ArchivedInstance(study_instance_uid, series, uid)
                for series in filter(is_uid, series_uids)
                for item in self._all(client, f"{path}/{series}/instances", {}, _INSTANCE)
                if is_uid(uid := first_text(item, _INSTANCE))
            ]

    def _all(
        self, client: httpx.Client, path: str, params: dict[str, str], key: str
    ) -> list[dict[str, object]]:
        return self._retry.run(lambda: list(search(client, self._name, path, params, key=key)))

    def count(self, study_instance_uid: str) -> int | None:
        """See `ports.Archive.count`."""
        with self._connect() as client:
            params = {"StudyInstanceUID": study_instance_uid, "includefield": _COUNT}
            found = self._all(client, "studies", params, _STUDY)
        own = [study for study in found if first_text(study, _STUDY) == study_instance_uid]
        if not own:
            return None
        # Not every service counts; then its list is counted.
        return first_number(own[0], _COUNT) or len(self.instances(study_instance_uid)) or None

    def retrieve(self, study_instance_uid: str, wanted: Collection[ArchivedInstance], intake: Intake) -> None:
        """See `ports.Archive.retrieve`: study, then whole series, then instances one by one."""
        if not wanted:
            raise ArchiveRefused(f"{self._name}: lists no instances of the study; check its QIDO-RS")
        del study_instance_uid  # each of `wanted` names it
        for uid, stream in self.streams(wanted, intake.missing):
            with stream:
                intake.take(uid, stream)
            intake.check()

    def streams(
        self, wanted: Collection[ArchivedInstance], missing: Callable[[], Collection[ArchivedInstance]]
    ) -> Iterator[tuple[str, BinaryIO]]:
        """One study's instances as they arrive: SOP Instance UIDs and Part 10 streams.

        Whoever takes a stream closes it.

        Parameters
        ----------
        missing
            What of `wanted` has not come yet.

        Raises
        ------
        ArchiveFailed, ArchiveRefused
            If nothing more can be had; what came before counts.
        """
        total = {series: 0 for _, series in map(_series_path, wanted)}
        for instance in wanted:
            total[instance.series_instance_uid] += 1
        with self._connect() as client:
            study = next(iter(wanted), None)
            if study is not None and len(wanted) > 1:
                yield from self._try(client, f"studies/{study.study_instance_uid}", study)
            for path, series in dict.fromkeys(map(_series_path, wanted)):
                left = [item for item in missing() if item.series_instance_uid == series]
                if len(left) > 1 and len(left) > total[series] // 2:
                    yield from self._try(client, path, left[0])
            yield from self._one_by_one(client, missing)

    def _try(self, client: httpx.Client, path: str, like: ArchivedInstance) -> Iterator[tuple[str, BinaryIO]]:
        """What a request gives; its failure is no end, for others follow."""
        try:
            yield from self._checked(client, path, like)
        except (ArchiveFailed, ArchiveRefused) as exc:
            log.info("archive.falls_back", peer=self._name, code=exc.code)
            if isinstance(exc, ArchiveFailed):
                self._retry.pause(1, exc)

    def _one_by_one(
        self, client: httpx.Client, missing: Callable[[], Collection[ArchivedInstance]]
    ) -> Iterator[tuple[str, BinaryIO]]:
        last: NodeError | None = None
        refused: set[ArchivedInstance] = set()
        for attempt in range(1, self._retry.attempts + 1):
            for instance in set(missing()) - refused:
                path = f"{_series_path(instance)[0]}/instances/{instance.sop_instance_uid}"
                try:
                    yield from self._checked(client, path, instance)
                except ArchiveRefused as exc:
                    refused.add(instance)
                    last = exc
                except ArchiveFailed as exc:
                    last = exc
            if refused.issuperset(missing()):
                break
            if attempt < self._retry.attempts:
                self._retry.pause(attempt, last if isinstance(last, ArchiveFailed) else None)
        if last is not None and missing():
            raise last

    def _checked(
        self, client: httpx.Client, path: str, like: ArchivedInstance
    ) -> Iterator[tuple[str, BinaryIO]]:
        """Streams that belong to the study that was asked for; others are dropped."""
        for stream in retrieve(client, self._name, path, self._open_scratch):
            try:
                identity = read_identity(stream)
            except InvalidInstance:
                identity = None
            if identity is not None and identity.study_instance_uid == like.study_instance_uid:
                yield identity.sop_instance_uid, stream
            else:
                stream.close()
                log.warning("archive.sent_something_else", peer=self._name)


def is_uid(text: str) -> bool:
    """Whether it can stand in a path: digits and dots, as PS3.5 §9.1 has it."""
    return len(text) <= 64 and _UID.fullmatch(text) is not None


def _series_path(instance: ArchivedInstance) -> tuple[str, str]:
    series = instance.series_instance_uid
    return f"studies/{instance.study_instance_uid}/series/{series}", series
