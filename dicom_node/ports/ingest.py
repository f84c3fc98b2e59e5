"""Taking instances in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from dicom_node.domain.instance import IncomingInstance, Receipt

    #: Notes that whoever sends has brought an instance of the study with this id.
    Brought = Callable[[str], None]


class Receiver(Protocol):
    """The receive stage, as the protocol edges (DIMSE, STOW-RS, upload) call it."""

    def receive(self, incoming: IncomingInstance) -> Receipt:
        """Make one instance durable: when this returns, bytes and index row survive a power cut.

        Raises
        ------
        InvalidInstance, MissingIdentifier, TruncatedDataset, SopClassMismatch, UnsupportedSopClass,
        UnsupportedTransferSyntax, OutOfResources, StorageFailure
        """

    def begin(
        self, source: str, sop_class_uid: str | None = None, sop_instance_uid: str | None = None
    ) -> Arrival:
        """Take an instance in part by part, in bounded memory; see `IncomingInstance` for the parameters."""

    def check_capacity(self, size: int = 0) -> None:
        """Raise `OutOfResources` where the disk watermark is reached, or would be by `size` bytes more."""


class Arrival(Protocol):
    """An instance on its way in: completed or abandoned in the end."""

    def write(self, part: bytes | bytearray | memoryview) -> None:
        """Add the next bytes of the Part 10 stream; what is wrong with them is `complete`'s to raise."""

    def complete(self) -> Receipt:
        """Make it durable; see `Receiver.receive`, which raises the same.

        An instance whose study is purged while it arrives is a `StorageFailure`.
        """

    def abandon(self) -> None:
        """Leave nothing of it."""


class Senders(Protocol):
    """Knows who is bringing a study, which is not complete meanwhile."""

    def request(self) -> AbstractContextManager[Brought]:
        """A request that is open until the context ends; what it yields notes each study."""


class Watermark(Protocol):
    """The disk watermark."""

    def check(self) -> None:
        """Raise `OutOfResources` where too little is free."""

    def reserve(self, size: int) -> AbstractContextManager[None]:
        """Count `size` bytes as taken while they are on their way to the disk.

        Raises
        ------
        OutOfResources
            On entering, where they would leave too little free beside all that is on its way already.
        """
