"""Every error that the node raises on purpose.

Tree::

    NodeError
    ├── PermanentError            asking again changes nothing
    │   ├── InvalidInstance       C000 / 400: bytes that are no readable DICOM data set
    │   │   ├── MissingIdentifier      a UID that the node needs is absent or malformed
    │   │   ├── TruncatedDataset       a length points past the end of the data
    │   │   └── SopClassMismatch       data set and command or File Meta disagree
    │   ├── UnsupportedSopClass   0122
    │   ├── UnsupportedTransferSyntax
    │   ├── NotAuthorised         0124 / 403
    │   ├── NotFound              404
    │   ├── Gone                  410: it was here and was purged
    │   ├── Conflict              409: what is asked does not fit the state of what it is asked of
    │   ├── SearchTooBroad        413: too much would have to be read to answer
    │   ├── Quarantined           de-identification cannot vouch for the instance
    │   ├── ReidentificationFailed   unknown UID or another patient: fail closed
    │   ├── InvalidModelPackage
    │   ├── InferenceFailed
    │   ├── EncodingFailed
    │   ├── ArchiveRefused        an archive will not give what was asked for
    │   ├── DeliveryRefused       a destination will not take anything, however often it is tried
    │   ├── ConfigurationError
    │   └── InternalError         a fault of ours; says where, never what the values were
    └── TransientError            the same call may work later
        ├── OutOfResources        A700 / 503: the disk watermark is reached
        ├── StorageFailure        a store or the index did not answer
        ├── SlotExpired           the study was purged while an instance was written
        ├── DeliveryFailed        a destination refused or was not there
        ├── NotificationFailed    a listener did not take a message
        ├── ArchiveFailed         an archive did not answer, or broke off
        └── ModelProcessFailed    the model's process died or ran out of time

Messages carry no identity of a patient and say what to do. `code` is stable: logs, metrics and
the API use it.
"""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import ClassVar


class NodeError(Exception):
    """Base of all errors of the node."""

    code: ClassVar[str] = "node-error"


class PermanentError(NodeError):
    """Asking again changes nothing."""

    code = "permanent"


class TransientError(NodeError):
    """The same call may work later."""

    code = "transient"


class InvalidInstance(PermanentError):
    """The bytes are no readable DICOM data set."""

    code = "invalid-instance"


class MissingIdentifier(InvalidInstance):
    """A UID that the node needs is absent or malformed."""

    code = "missing-identifier"


class TruncatedDataset(InvalidInstance):
    """A length in the data set points past its end."""

    code = "truncated-dataset"


class SopClassMismatch(InvalidInstance):
    """The data set and the command or File Meta name different SOP Classes or Instances."""

    code = "sop-class-mismatch"


class UnsupportedSopClass(PermanentError):
    """The node does not store this SOP Class."""

    code = "unsupported-sop-class"


class UnsupportedTransferSyntax(PermanentError):
    """The node does not store this transfer syntax."""

    code = "unsupported-transfer-syntax"


class NotAuthorised(PermanentError):
    """The peer may not do this."""

    code = "not-authorised"


class NotFound(PermanentError):
    """Nothing is known under this identifier."""

    code = "not-found"


class Gone(PermanentError):
    """It was here and was purged."""

    code = "gone"


class Conflict(PermanentError):
    """What is asked does not fit the state of what it is asked of."""

    code = "conflict"


class SearchTooBroad(PermanentError):
    """Too much would have to be read to answer: narrower keys will do."""

    code = "search-too-broad"


class Quarantined(PermanentError):
    """De-identification cannot vouch for the instance; it is kept back.

    Parameters
    ----------
    rule
        Stable short name of the rule that it failed.
    vouchable
        Whether a person who looked at the instance can answer for it instead.
    """

    code = "quarantined"

    def __init__(self, message: str, rule: str = "unknown", *, vouchable: bool = False) -> None:
        super().__init__(message)
        self.rule = rule
        self.vouchable = vouchable


class ReidentificationFailed(PermanentError):
    """A UID is unknown or the patient is another one; nothing leaves."""

    code = "reidentification-failed"


class InvalidModelPackage(PermanentError):
    """A model package breaks its contract."""

    code = "invalid-model-package"


class InferenceFailed(PermanentError):
    """A model could not work on this input."""

    code = "inference-failed"


class EncodingFailed(PermanentError):
    """A result could not be written as a DICOM object, or the object failed the output gate."""

    code = "encoding-failed"


class ArchiveRefused(PermanentError):
    """An archive will not give what was asked for."""

    code = "archive-refused"


class DeliveryRefused(PermanentError):
    """A destination will not take anything, however often it is tried."""

    code = "delivery-refused"


class ConfigurationError(PermanentError):
    """The configuration is wrong or unsafe."""

    code = "configuration"


class InternalError(PermanentError):
    """A fault of the node's own code or of a library, without the text that came with it."""

    code = "internal"

    @classmethod
    def of(cls, exc: BaseException) -> InternalError:
        """Name the type and the place of an unexpected error; its text may hold values of a data set."""
        frames = traceback.extract_tb(exc.__traceback__)[-3:]
        path = " < ".join(f"{Path(f.filename).stem}:{f.lineno}" for f in reversed(frames))
        return cls(
            f"{type(exc).__name__} at {path or 'unknown'}; report it with this line, the inputs are kept"
        )


class OutOfResources(TransientError):
    """The disk watermark is reached."""

    code = "out-of-resources"


class StorageFailure(TransientError):
    """A store or the index did not answer."""

    code = "storage-failure"


class SlotExpired(TransientError):
    """The study was purged while an instance for it was being written; write it again."""

    code = "slot-expired"


class DeliveryFailed(TransientError):
    """A destination refused or was not there.

    Parameters
    ----------
    wait_s
        Seconds that it asks to wait, or `None`.
    """

    code = "delivery-failed"

    def __init__(self, message: str, wait_s: float | None = None) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class NotificationFailed(TransientError):
    """A listener did not take a message.

    Parameters
    ----------
    wait_s
        Seconds that it asks us to wait, or `None`.
    final
        Whether it asked never to be told again.
    """

    code = "notification-failed"

    def __init__(self, message: str, wait_s: float | None = None, *, final: bool = False) -> None:
        super().__init__(message)
        self.wait_s = wait_s
        self.final = final


class ArchiveFailed(TransientError):
    """An archive did not answer, or broke off."""

    code = "archive-failed"


class ModelProcessFailed(TransientError):
    """The model's process died or ran out of time or memory."""

    code = "model-process-failed"
