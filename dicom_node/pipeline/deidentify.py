"""De-identify stage: spool to work area, identity to the vault."""

from __future__ import annotations

import io
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dicom_node.domain.catalog import CatalogEntry, CatalogKind
from dicom_node.domain.errors import Quarantined
from dicom_node.domain.identity import OriginalIdentity, Passed
from dicom_node.domain.study import Slot
from dicom_node.pipeline import quarantine
from dicom_node.pipeline.faces import without_faces

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dicom_node.domain.instance import SourceInstance
    from dicom_node.pipeline.services import Services

#: Instances that are written at once. More only wait for the interpreter (256: 0.61 s by 3, 0.72 by 8).
WRITERS = 3


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
    quarantined: Counter[str] = Counter()
    identity = OriginalIdentity({}, {})
    reports: list[object] = []
    passed: list[SourceInstance] = []
    made = _outcomes(services, study_id, version)
    for source, outcome in without_faces(services, study_id, version, made):
        if isinstance(outcome, str):
            quarantined[outcome] += 1
            continue
        identity = identity.merged(outcome.out.identity)
        entries.append(outcome.entry)
        reports.append(outcome.out.report)
        passed.append(source)
    if entries:
        services.vault.put(study_id, identity)
        services.catalog.publish(entries)
    quarantine.lift(services, study_id, passed)
    report = services.deidentifier.summarise(reports, quarantined)
    services.index.set_deidentification(study_id, version, report)
    services.audit.record(
        "study.deidentified",
        study_id=study_id,
        version=version,
        count=len(entries),
        quarantined=quarantined.total(),
    )
    return DeidentifyOutcome(len(entries), dict(quarantined))


def _outcomes(
    services: Services, study_id: str, version: int
) -> Iterator[tuple[SourceInstance, Passed | str]]:
    """Each instance with what became of it: a survey of all, then the sample, then the rest."""
    sources = services.index.sources(study_id, version)
    vouched = services.quarantine.vouched(study_id)

    def survey(source: SourceInstance) -> object | Quarantined:
        try:
            return services.deidentifier.survey(services.stores.spool.read(source.spool_ref))
        except Quarantined as exc:
            return exc

    # Writes wait for the disk: side by side their waits fall together.
    with ThreadPoolExecutor(WRITERS, thread_name_prefix="deidentify") as pool:
        surveyed: list[tuple[SourceInstance, object]] = []
        for source, found in zip(sources, pool.map(survey, sources), strict=True):
            if isinstance(found, Quarantined):
                data = services.stores.spool.read(source.spool_ref)
                yield source, quarantine.hold(services, source, version, data, found)
            else:
                surveyed.append((source, found))
        context, first = services.deidentifier.context([found for _, found in surveyed])

        def one(source: SourceInstance) -> Passed | str:
            waived = vouched.get((source.sop_instance_uid, source.sha256), frozenset())
            return _deidentify_one(services, source, version, context, waived)

        for batch in (True, False):
            members = [source for n, (source, _) in enumerate(surveyed) if (n in first) is batch]
            yield from zip(members, pool.map(one, members), strict=True)


def _deidentify_one(
    services: Services, source: SourceInstance, version: int, context: object, vouched: frozenset[str]
) -> Passed | str:
    """What passed, or the reason why the instance went to quarantine."""
    data = services.stores.spool.read(source.spool_ref)
    slot = Slot(source.study_id, source.epoch)
    try:
        out = services.deidentifier.deidentify(data, context, vouched=vouched)
    except Quarantined as exc:
        return quarantine.hold(services, source, version, data, exc)
    if out.sop_instance_uid != source.sop_instance_uid:
        other = Quarantined("the UID is not the one that the instance came under", "other-uid")
        return quarantine.hold(services, source, version, data, other)
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
    # The bytes lie in the work area now; of the instance only identity and report are asked for again.
    return Passed(entry, replace(out, data=b""))
