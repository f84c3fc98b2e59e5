"""Results as a destination gets them: one at a time, with the identity, kinds and encoding that it wants."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pydicom.uid import ExplicitVRLittleEndian

from dicom_node.domain.delivery import OutgoingObject, SentObject
from dicom_node.domain.errors import Conflict, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dicom_node.domain.delivery import DeliveryKey, DeliveryObject
    from dicom_node.domain.destination import Destination
    from dicom_node.domain.identity import OriginalIdentity
    from dicom_node.domain.result import ResultEntry
    from dicom_node.pipeline.services import Services

#: The output gate lets no other transfer syntax pass.
_MADE_IN = str(ExplicitVRLittleEndian)


class Outgoing:
    """What goes to one destination, and what it is known by there.

    Identity and bytes are read when they are needed; a result is dropped once it was sent.

    Raises
    ------
    NotFound
        If results or identity are no longer kept.
    Conflict
        If the original identity cannot be put back.
    """

    def __init__(self, services: Services, key: DeliveryKey, destination: Destination) -> None:
        self._services = services
        self._destination = destination
        entries = services.index.results(key.study_id, key.version)
        self._entries: Mapping[str, ResultEntry] = {entry.sop_instance_uid: entry for entry in entries}
        self._study_instance_uid = services.index.study(key.study_id).study_instance_uid
        self._identity: OriginalIdentity | None = None
        self._own: frozenset[str] = frozenset()
        if destination.original_identity:
            self._identity = services.vault.get(key.study_id)
            closing = services.deliveries.closing(key.study_id, key.version)
            if closing is None or closing.own_uids is None:
                raise Conflict(
                    "an earlier version of the node kept too little to put the original identity back;"
                    " send the study again to have it analysed anew"
                )
            # A UID that stands for an original one is never the node's own, whatever the gate saw.
            self._own = closing.own_uids - self._identity.uids.keys()

    def objects(self, wanted: Iterable[DeliveryObject]) -> list[OutgoingObject]:
        """What to send, in the order given."""
        syntax = self._destination.transfer_syntax
        syntaxes = tuple(dict.fromkeys(filter(None, (syntax, _MADE_IN))))
        return [
            OutgoingObject(entry.sop_class_uid, entry.sop_instance_uid, syntaxes, partial(self._load, entry))
            for entry in map(self._entry, wanted)
        ]

    def sent(self, wanted: Iterable[DeliveryObject]) -> list[SentObject]:
        """What the destination knows them by."""
        study = self._study_instance_uid
        if self._identity is not None:
            study = self._identity.uids.get(study, study)
        return [
            SentObject(study, entry.series_instance_uid, entry.sop_class_uid, entry.sop_instance_uid)
            for entry in map(self._entry, wanted)
        ]

    def _entry(self, item: DeliveryObject) -> ResultEntry:
        try:
            return self._entries[item.sop_instance_uid]
        except KeyError:
            raise NotFound("the results of this version are no longer kept") from None

    def _load(self, entry: ResultEntry, transfer_syntax_uid: str) -> bytes:
        data = self._services.stores.results.read(entry.ref)
        if self._identity is not None:
            data = self._services.reidentifier.restore(data, self._identity, self._own)
        if transfer_syntax_uid != _MADE_IN:
            data = self._services.transcode(data, transfer_syntax_uid)
        return data
