"""Archives that the node fetches studies from, and the pulls themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from typing import BinaryIO

    from dicom_node.domain.pull import ArchivedInstance, Pull, PullWork, StudyQuery


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
        """All instances that the archive counts in a study; empty where it has none.

        Raises
        ------
        ArchiveFailed, ArchiveRefused
        """

    def retrieve(
        self, wanted: Collection[ArchivedInstance], missing: Callable[[], Collection[ArchivedInstance]]
    ) -> Iterator[tuple[str, BinaryIO]]:
        """One study's instances in any order, perhaps more or fewer than wanted.

        Each is its SOP Instance UID and its Part 10 stream; whoever takes a stream closes it. Ways that
        fail are followed by others, which ask for what is missing then.

        Parameters
        ----------
        missing
            What of `wanted` has not come yet.

        Raises
        ------
        ArchiveFailed, ArchiveRefused
            If nothing more can be had; what came before counts.
        """


class ArchiveOpener(Protocol):
    """Makes an archive."""

    def __call__(self, wait: Callable[[float], object]) -> Archive:
        """An archive that pauses by `wait` (seconds), which may raise to end the work."""


class PullStore(Protocol):
    """Pulls, durable on return. What names patients is sealed, and goes when the pull ends."""

    def add(self, pull: Pull, work: PullWork) -> None:
        """Keep a new pull."""

    def update(self, pull: Pull, work: PullWork | None = None) -> None:
        """Replace what is known of it; `work` where it changed. An ended pull's work is erased."""

    def work(self, pull_id: str) -> PullWork:
        """What a pull that has not ended needs to go on.

        Raises
        ------
        NotFound
        """

    def get(self, pull_id: str) -> Pull:
        """One pull.

        Raises
        ------
        NotFound
        """

    def newest(self, limit: int) -> Sequence[Pull]:
        """The newest pulls, newest first."""

    def unfinished(self) -> Sequence[Pull]:
        """Pulls that have not ended, oldest first."""


class Pulls(Protocol):
    """Fetching of studies, as API and worklist call it."""

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the configured archives."""

    def request(self, source_name: str, study_instance_uid: str) -> str:
        """Fetch one study, by its original UID; return the pull's id once the request is durable.

        Raises
        ------
        NotFound
            If no archive of that name is configured.
        """

    def request_query(self, source_name: str, query: StudyQuery) -> str:
        """Fetch all studies that match; else as `request`.

        Raises
        ------
        NotFound, InvalidInstance
            The latter if the query names nothing.
        """

    def state(self, pull_id: str) -> Pull:
        """How a pull stands.

        Raises
        ------
        NotFound
        """

    def newest(self, limit: int = 100) -> Sequence[Pull]:
        """The newest pulls, newest first."""

    def cancel(self, pull_id: str) -> Pull:
        """End a pull; what has arrived stays. Nothing happens where it has ended.

        Raises
        ------
        NotFound
        """
