"""From an archive to a node, through the machine in between."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

from dicom_node.domain.destination import Destination
from dicom_node.domain.errors import ArchiveFailed, ArchiveRefused, NotFound
from dicomweb.client.connection import origin
from dicomweb.client.store import Outgoing, StowSender

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dicom_node.domain.pull import ArchivedInstance, StudyQuery
    from dicomweb.client.archive import DicomwebArchive


@dataclass(slots=True)
class Relayed:
    """What was passed on."""

    expected: int = 0
    received: int = 0
    reasons: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether everything that the archive counts is in the node."""
        return self.received == self.expected


def relay(
    archive: DicomwebArchive, query: StudyQuery, url: str, progress: Callable[[int, int], object]
) -> Relayed:
    """Fetch studies and store each instance as it comes, by STOW-RS.

    Parameters
    ----------
    url
        DICOMweb base URL of the node.
    progress
        Called with the counts of instances that are stored, and of all.

    Raises
    ------
    ArchiveFailed, ArchiveRefused, NotFound
        If the archive cannot be searched, or holds nothing of it.
    DeliveryFailed
        If the node is not there.
    """
    studies = archive.find_studies(query)
    if not studies:
        raise NotFound("the archive holds no study that was asked for")
    listed = [list(archive.instances(study)) for study in studies]
    done = Relayed(expected=sum(map(len, listed)))
    sender = StowSender(Destination(name=origin(url), original_identity=False), url=url)
    for instances in listed:
        _relay_study(archive, instances, sender, done, progress)
    return done


def _relay_study(
    archive: DicomwebArchive,
    instances: list[ArchivedInstance],
    sender: StowSender,
    done: Relayed,
    progress: Callable[[int, int], object],
) -> None:
    left = {item.sop_instance_uid: item for item in instances}
    refused: set[str] = set()

    def missing() -> list[ArchivedInstance]:
        return [item for uid, item in left.items() if uid not in refused]

    try:
        for uid, stream in archive.streams(instances, missing):
            with stream:
                failures = sender.send_all([_outgoing(uid, stream)]).failures
            if failures:
                refused.add(uid)
                done.reasons += [reason for reason in failures.values() if reason not in done.reasons]
            elif left.pop(uid, None) is not None:
                done.received += 1
                progress(done.received, done.expected)
    except (ArchiveFailed, ArchiveRefused) as exc:
        done.reasons.append(str(exc))


def _outgoing(uid: str, stream: BinaryIO) -> Outgoing:
    size = stream.seek(0, 2)

    def pieces() -> Iterator[bytes]:
        stream.seek(0)
        while piece := stream.read(1 << 20):
            yield piece

    return Outgoing(uid, size, pieces)
