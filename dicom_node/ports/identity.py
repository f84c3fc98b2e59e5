"""Taking identity off, keeping it, and putting it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from dicom_node.domain.deidentification import DeidentificationReport
    from dicom_node.domain.identity import DeidentifiedInstance, OriginalIdentity


class Pseudonymizer(Protocol):
    """Keyed replacement of identifiers: the same input gives the same output, always."""

    def uid(self, original: str) -> str:
        """The pseudonymous UID (root 2.25) of an original one."""

    def derived_uid(self, *parts: str) -> str:
        """A UID derived from several strings, for objects that the node makes itself."""


class Deidentifier(Protocol):
    """De-identification of the instances of a study: survey all, make a context, then each."""

    def survey(self, part10: bytes) -> object:
        """What an instance tells about its study. Identity.

        Raises
        ------
        Quarantined
            If the bytes cannot be read.
        """

    def context(self, surveys: Sequence[object]) -> tuple[object, frozenset[int]]:
        """What the instances know together, and the positions of those that go first.

        What these show decides about the pixels of the rest: end with them before the others begin.
        """

    def deidentify(
        self, part10: bytes, context: object, *, vouched: frozenset[str] = frozenset()
    ) -> DeidentifiedInstance:
        """Apply the profile and verify the output by reading it again.

        Parameters
        ----------
        context
            As `context` made it, of all instances of the study.
        vouched
            Rules that a person answered for, for exactly these bytes: they are waived, no other is.

        Raises
        ------
        Quarantined
            If the output cannot be vouched for; the message names the rule, never the value.
        """

    @property
    def removes_faces(self) -> bool:
        """Whether the profile asks for `remove_faces`."""

    def remove_faces(self, series: Sequence[DeidentifiedInstance]) -> Sequence[DeidentifiedInstance]:
        """Take the face off all instances of one series, in their order.

        Raises
        ------
        Quarantined
            If the series may show a face that cannot be removed.
        """

    def summarise(self, reports: Iterable[object], quarantined: Mapping[str, int]) -> DeidentificationReport:
        """One report of the `report` of several instances, and of reasons to instances kept back."""


class Reidentifier(Protocol):
    """The way back."""

    def restore(self, part10: bytes, identity: OriginalIdentity, own_uids: frozenset[str]) -> bytes:
        """Put the original patient, study attributes and UIDs back, in nested items too.

        Parameters
        ----------
        own_uids
            UIDs that the node made itself (result series and instances, tracking, devices) and that stay.

        Raises
        ------
        ReidentificationFailed
            If a UID is neither known, nor own, nor registered by the standard, or the pseudonymous
            patient is not the one of `identity`.
        """


class Vault(Protocol):
    """Original identities, encrypted at rest."""

    def put(self, study_id: str, identity: OriginalIdentity) -> None:
        """Merge into what is there for the study; durable on return."""

    def get(self, study_id: str) -> OriginalIdentity:
        """The identity of a study.

        Raises
        ------
        NotFound
        """

    def kept(self, study_ids: Collection[str]) -> set[str]:
        """Those of these studies whose identity is there."""

    def forget(self, study_id: str) -> None:
        """Remove it for good; idempotent."""
