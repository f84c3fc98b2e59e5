"""Archives that the node fetches studies from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from typing import BinaryIO

    from dicom_node.domain.errors import NodeError
    from dicom_node.domain.pull import ArchivedInstance, StudyQuery
    from dicom_node.ports.ingest import Arrival


class Intake(Protocol):
    """Where the instances of one study go while they are fetched."""

    def check(self) -> None:
        """Return where the work is to go on; raises what is no `NodeError` to end it."""

    def missing(self) -> Collection[ArchivedInstance]:
        """What of the wanted has not come yet."""

    def take(self, sop_instance_uid: str, stream: BinaryIO) -> NodeError | None:
        """Store a Part 10 stream; `None` once it is durable, else why it is not kept.

        Raises
        ------
        OutOfResources
            If the disk is full: the work ends.
        """

    def begin(self) -> Arrival:
        """Store an instance that is too large for memory part by part; else as `take`."""

    def look(self) -> int:
        """See what came by another way; how many instances have come in all."""


class Archive(Protocol):
    """One PACS that can be searched and asked for instances."""

    @property
    def name(self) -> str:
        """As in the configuration."""

    def find_studies(self, query: StudyQuery) -> Sequence[str]:
        """Study Instance UIDs that match.

        Raises
        ------
        ArchiveFailed, ArchiveRefused
        """

    def instances(self, study_instance_uid: str) -> Sequence[ArchivedInstance]:
        """All instances that the archive lists of a study; empty where it lists none.

        Raises
        ------
        ArchiveFailed, ArchiveRefused
        """

    def count(self, study_instance_uid: str) -> int | None:
        """How many instances the archive counts in a study; `None` where it has no such study or won't say.

        Raises
        ------
        ArchiveFailed, ArchiveRefused
        """

    def retrieve(self, study_instance_uid: str, wanted: Collection[ArchivedInstance], intake: Intake) -> None:
        """Have one study's instances sent, in any order, perhaps more or fewer than wanted.

        Ways that fail are followed by others, which ask for what is missing then.

        Parameters
        ----------
        wanted
            Empty where the archive lists no instances: then all of the study.

        Raises
        ------
        ArchiveFailed, ArchiveRefused
            If nothing more can be had; what came before counts.
        """


class ArchiveOpener(Protocol):
    """Makes an archive."""

    def __call__(self, wait: Callable[[float], object]) -> Archive:
        """An archive that pauses by `wait` (seconds), which may raise to end the work."""
