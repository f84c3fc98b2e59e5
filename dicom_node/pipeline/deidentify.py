"""De-identify stage: spool to work area, identity to the vault."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dicom_node.domain.catalog import CatalogEntry, CatalogKind
from dicom_node.domain.errors import Quarantined
from dicom_node.domain.identity import OriginalIdentity
from dicom_node.domain.study import Slot

if TYPE_CHECKING:
    from dicom_node.domain.instance import SourceInstance
    from dicom_node.pipeline.services import Services


@dataclass(frozen=True, slots=True)
class DeidentifyOutcome:
    """How many instances passed, and why others did not (reason to count)."""

    passed: int
    quarantined: dict[str, int]

    @property
    def note(self) -> str | None:
        """One line about what was kept back, or `None`."""
        if not self.quarantined:
            return None
        held = sum(self.quarantined.values())
        reasons = "; ".join(f"{count}x {reason}" for reason, count in sorted(self.quarantined.items()))
        return f"{held} of {held + self.passed} instances quarantined: {reasons}"


def deidentify(services: Services, study_id: str, version: int) -> DeidentifyOutcome:
    """De-identify every unpurged instance of the study; what cannot be vouched for goes to quarantine.

    The vault holds the identity before any de-identified instance can be seen, so that the way back
    always exists. Running it again replaces what it wrote.
    """
    entries: list[CatalogEntry] = []
    quarantined: dict[str, int] = {}
    identity = OriginalIdentity({}, {})
    for source in services.index.sources(study_id, version):
        data = services.stores.spool.read(source.spool_ref)
        try:
            entry, taken = _deidentify_one(services, source, data)
        except Quarantined as exc:
            reason = str(exc)
            quarantined[reason] = quarantined.get(reason, 0) + 1
            _quarantine(services, source, data, reason)
            continue
        identity = identity.merged(taken)
        entries.append(entry)
    if entries:
        services.vault.put(study_id, identity)
        services.catalog.publish(entries)
    services.audit.record(
        "study.deidentified",
        study_id=study_id,
        version=version,
        count=len(entries),
        quarantined=sum(quarantined.values()),
    )
    return DeidentifyOutcome(len(entries), quarantined)


def _deidentify_one(
    services: Services, source: SourceInstance, data: bytes
) -> tuple[CatalogEntry, OriginalIdentity]:
    out = services.deidentifier.deidentify(data)
    if out.sop_instance_uid != source.sop_instance_uid:
        raise Quarantined("the de-identified instance does not carry the UID that it was received under")
    slot = _slot_of(source)
    ref = services.stores.work.write(slot, f"{out.sop_instance_uid}.dcm", io.BytesIO(out.data))
    transfer_syntax_uid, attributes = services.reader.read(out.data)
    entry = CatalogEntry(
        study_id=source.study_id,
        kind=CatalogKind.SOURCE,
        study_instance_uid=out.study_instance_uid,
        series_instance_uid=out.series_instance_uid,
        sop_instance_uid=out.sop_instance_uid,
        sop_class_uid=out.sop_class_uid,
        transfer_syntax_uid=transfer_syntax_uid,
        ref=ref,
        attributes=attributes,
    )
    return entry, out.identity


def _quarantine(services: Services, source: SourceInstance, data: bytes, reason: str) -> None:
    slot = _slot_of(source)
    services.stores.quarantine.write(slot, f"{source.sop_instance_uid}.dcm", io.BytesIO(data))
    services.metrics.count("instances_quarantined")
    services.audit.record(
        "instance.quarantined",
        study_id=source.study_id,
        sop_instance_uid=source.sop_instance_uid,
        reason=reason,
    )


def _slot_of(source: SourceInstance) -> Slot:
    return Slot(source.study_id, source.epoch)
