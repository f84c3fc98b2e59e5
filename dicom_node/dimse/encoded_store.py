"""Send data sets by C-STORE as they are encoded.

pynetdicom's `send_c_store` decodes a data set and encodes it again, which can change bytes and warns about
values of it. Here the bytes go out as they are; the rest of the exchange is the library's.
"""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any

from pydicom import dcmread
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import encode

from dicom_node.dimse.contexts import UNCOMPRESSED
from dicom_node.domain.errors import DeliveryFailed

if TYPE_CHECKING:
    from pynetdicom.presentation import PresentationContext


def choose_context(
    contexts: list[PresentationContext], sop_class_uid: str, transfer_syntax_uid: str
) -> PresentationContext | None:
    """The accepted context for an object: its own transfer syntax, or another without loss."""
    wanted = [transfer_syntax_uid]
    if transfer_syntax_uid in UNCOMPRESSED:
        wanted += [uid for uid in UNCOMPRESSED if uid != transfer_syntax_uid]
    for uid in wanted:
        for context in contexts:
            if str(context.abstract_syntax) == sop_class_uid and str(context.transfer_syntax[0]) == uid:
                return context
    return None


def encoded_data_set(part10: bytes, offset: int, stored_as: str, send_as: str) -> bytes:
    """The data set of Part 10 bytes in a transfer syntax.

    Parameters
    ----------
    offset
        Bytes before the data set.
    stored_as, send_as
        Transfer syntax UIDs; where they are the same the bytes stay as they are.

    Raises
    ------
    ValueError
        If the data set is of odd length or cannot be converted.
    """
    if stored_as == send_as:
        encoded = part10[offset:]
        if len(encoded) % 2 == 0:
            return encoded
        if stored_as == DeflatedExplicitVRLittleEndian:
            return encoded + b"\0"  # PS3.5 §A.5
        raise ValueError("the data set has an odd length")  # PS3.8 §E.1: peers abort on it
    target = UID(send_as)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they quote values
        converted = encode(
            dcmread(io.BytesIO(part10)), target.is_implicit_VR, target.is_little_endian, target.is_deflated
        )
    if converted is None:
        raise ValueError("the data set cannot be converted to the transfer syntax that the peer takes")
    return bytes(converted)


def send_encoded(
    assoc: Any,
    context: PresentationContext,
    *,
    message_id: int,
    sop_class_uid: str,
    sop_instance_uid: str,
    encoded: bytes,
) -> int:
    """Send one C-STORE-RQ over an association whose reactor is held, and return the status of its response.

    Raises
    ------
    DeliveryFailed
        If no valid response comes.

    References
    ----------
    PS3.7 §9.1.1.
    """
    request = C_STORE()
    request.MessageID = message_id
    request.Priority = 0x0000  # medium
    request.AffectedSOPClassUID = UID(sop_class_uid)
    request.AffectedSOPInstanceUID = UID(sop_instance_uid)
    request.DataSet = io.BytesIO(encoded)
    if not assoc.is_established:
        raise DeliveryFailed("the peer ended the association; it is tried again")
    assoc.dimse.send_msg(request, context.context_id)
    _, response = assoc.dimse.get_msg(block=True)
    if response is None or not response.is_valid_response or not isinstance(response, C_STORE):
        assoc.abort()
        raise DeliveryFailed("the peer ended the association or did not answer in time; it is tried again")
    return int(response.Status)
