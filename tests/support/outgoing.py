"""Objects as senders get them, from their bytes."""

import io

from dicom_node.domain.delivery import OutgoingObject
from dicom_node.pipeline.header import scan


def outgoing(*objects, transfer_syntaxes=None):
    """One for each Part 10 object; given as it is, whatever transfer syntax is asked for."""
    made = []
    for data in objects:
        header = scan(io.BytesIO(data)).header
        made.append(
            OutgoingObject(
                header.sop_class_uid,
                header.sop_instance_uid,
                transfer_syntaxes or (header.transfer_syntax_uid,),
                lambda _uid, data=data: data,
            )
        )
    return made
