"""STOW-RS: one instance after another to the receive stage, and what became of each.

References
----------
PS3.18 §10.5.2 (behaviour), PS3.18 §I.2 (store instances response).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

import structlog

from dicom_node.domain.errors import InternalError, InvalidInstance, NodeError
from dicom_node.domain.instance import IncomingInstance, StoreOutcome
from dicomweb.errors import (
    CANNOT_UNDERSTAND,
    ELEMENTS_DISCARDED,
    PROCESSING_FAILURE,
    REFUSED_OUT_OF_RESOURCES,
    STUDY_INSTANCE_UID_DISAGREES,
    map_error,
)
from dicomweb.media_types import DICOM, OCTET_STREAM, parse_media_type
from dicomweb.part10 import read_identity

if TYPE_CHECKING:
    from dicom_node.domain.instance import Receipt
    from dicom_node.ports.ingest import Brought, Receiver
    from dicomweb.multipart import Part
    from dicomweb.part10 import ClaimedIdentity

SOURCE = "stow"


@dataclass(frozen=True, slots=True)
class Failure:
    """An instance that was not stored; `identity` is `None` where the part cannot be parsed at all.

    `detail` says in words what to do about it, without identity.
    """

    reason: int
    identity: ClaimedIdentity | None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Stored:
    """An instance that is safe; `warning` is a Warning Reason (0008,1196) where one applies."""

    receipt: Receipt
    warning: int | None = None


@dataclass(slots=True)
class StoreReport:
    """What became of the instances of one request, in their order.

    Attributes
    ----------
    brought
        Called with the id of its study as soon as an instance is stored.
    """

    stored: list[Stored] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    brought: Brought = field(default=lambda _study_id: None)

    def add(self, outcome: Stored | Failure) -> None:
        """Add what became of the next instance."""
        if isinstance(outcome, Stored):
            self.stored.append(outcome)
        else:
            self.failed.append(outcome)

    @property
    def status(self) -> HTTPStatus:
        """200 all stored, 202 some failed or with a warning, 409 none; 503 where only room was missing."""
        if self.stored:
            clean = not self.failed and all(item.warning is None for item in self.stored)
            return HTTPStatus.OK if clean else HTTPStatus.ACCEPTED
        if self.failed and all(item.reason == REFUSED_OUT_OF_RESOURCES for item in self.failed):
            return HTTPStatus.SERVICE_UNAVAILABLE
        return HTTPStatus.CONFLICT


class StoreService:
    """Stores the parts of a request.

    A part counts as stored only after the receive stage returned: bytes and index row are durable then.
    """

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    def check_capacity(self, size: int) -> None:
        """Before a body of so many bytes is read.

        Raises
        ------
        OutOfResources
        """
        self._receiver.check_capacity(size)

    def store(self, part: Part, study: str | None, brought: Brought) -> Stored | Failure:
        """Store one part, say what became of it, and close its stream; never raises.

        Parameters
        ----------
        study
            The Study Instance UID of the URL; an instance of another study, as sent, fails.
        brought
            See `StoreReport`.
        """
        try:
            return self._store(part, study, brought)
        except Exception as exc:  # noqa: BLE001 (protocol edge: one broken part must not fail the others)
            return failed(exc, _identity(part))
        finally:
            part.stream.close()

    def _store(self, part: Part, study: str | None, brought: Brought) -> Stored | Failure:
        if not _is_dicom(part):
            return Failure(CANNOT_UNDERSTAND, None, "a part is no application/dicom; send instances")
        if study is not None:
            identity = read_identity(part.stream)
            if identity.study_instance_uid != study:
                return another_study(identity)
        part.stream.seek(0)
        receipt = self._receiver.receive(IncomingInstance(part.stream, SOURCE))
        brought(receipt.study_id)
        conflict = receipt.outcome is StoreOutcome.CONFLICT
        return Stored(receipt, ELEMENTS_DISCARDED if conflict else None)


def another_study(identity: ClaimedIdentity | None) -> Failure:
    """The instance belongs to another study than the one in the URL."""
    return Failure(
        STUDY_INSTANCE_UID_DISAGREES, identity, "an instance belongs to another study than the URL names"
    )


def failed(error: Exception, identity: ClaimedIdentity | None) -> Failure:
    """What an error means to one instance; logged here, without a word of the instance."""
    if isinstance(error, NodeError):
        reason = map_error(error).failure_reason
        structlog.get_logger().warning("stow_instance_failed", code=error.code, status=f"{reason:04X}")
        return Failure(reason, identity, str(error))
    internal = InternalError.of(error)
    structlog.get_logger().error("stow_instance_error", code=internal.code, reason=str(internal))
    return Failure(PROCESSING_FAILURE, identity, str(internal))


def _is_dicom(part: Part) -> bool:
    content_type = part.headers.get("content-type")
    if content_type is None:
        return True
    media_type = parse_media_type(content_type)
    return media_type is not None and media_type.name in {DICOM, OCTET_STREAM}


def _identity(part: Part) -> ClaimedIdentity | None:
    """What the part claims to be, or `None` where it cannot be told."""
    try:
        identity = read_identity(part.stream)
    except InvalidInstance:
        return None
    return identity if identity.sop_instance_uid and identity.sop_class_uid else None
