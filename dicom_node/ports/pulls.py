"""Pulls: the fetching of studies, and what is kept of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from dicom_node.domain.pull import Pull, PullWork, StudyQuery


class PullStore(Protocol):
    """Pulls, durable on return. What names patients is sealed, and goes when the pull ends.

    Several processes may share them: each fetches what it has claimed, for as long as its lease lasts.
    """

    def add(self, pull: Pull, work: PullWork) -> None:
        """Keep a new pull."""

    def claim(self, owner: str, now: datetime, until: datetime) -> Pull | None:
        """Take the oldest pull that nobody fetches, as `running`; `None` where there is none."""

    def renew(self, owner: str, until: datetime) -> Mapping[str, bool]:
        """Keep what the owner has claimed: by pull id, whether its cancellation was asked for."""

    def let_go(self, owner: str) -> None:
        """Leave what the owner has claimed to whoever claims next."""

    def update(self, owner: str, pull: Pull, work: PullWork | None = None) -> bool:
        """Replace what is known of a pull; `work` where it changed. An ended pull's work is erased.

        `False`, and nothing changes, where the owner has lost it to another.
        """

    def set_fetching(self, owner: str, pull_id: str, study_instance_uid: str | None) -> None:
        """Say which study (pseudonymous UID) instances are being fetched of."""

    def is_fetching(self, study_id: str, now: datetime) -> bool:
        """Whether anybody is fetching instances of a study, by the node's id."""

    def cancel(self, pull_id: str, now: datetime) -> bool:
        """End a pull that nobody fetches, and return `True`; else ask whoever does to end it."""

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


class Pulls(Protocol):
    """Fetching of studies, as API, pages and worklist call it."""

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
