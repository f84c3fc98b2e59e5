"""Takes the face off each series between de-identification and the catalog, where the profile asks for it.

Until a series has passed, its instances lie in the work area and nobody is told of them.
"""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from dicom_node.domain.errors import Quarantined
from dicom_node.domain.study import Slot
from dicom_node.pipeline import quarantine

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dicom_node.domain.identity import Passed
    from dicom_node.domain.instance import SourceInstance
    from dicom_node.pipeline.services import Services

#: The rule that a person answers for who lets a face through.
RULE: Final = "face-not-removed"


def without_faces(
    services: Services, study_id: str, version: int, outcomes: Iterable[tuple[SourceInstance, Passed | str]]
) -> Iterator[tuple[SourceInstance, Passed | str]]:
    """The outcomes of a study, where a series that keeps its face is quarantined as a whole.

    Instances for which a person answered go through as they are.
    """
    if not services.deidentifier.removes_faces:
        yield from outcomes
        return
    vouched = services.quarantine.vouched(study_id)
    series: dict[str, list[tuple[SourceInstance, Passed]]] = {}
    for source, outcome in outcomes:
        waived = vouched.get((source.sop_instance_uid, source.sha256), frozenset())
        if isinstance(outcome, str) or RULE in waived:
            yield source, outcome
        else:
            series.setdefault(outcome.entry.series_instance_uid, []).append((source, outcome))
    for members in series.values():
        yield from _series(services, version, members)


def _series(
    services: Services, version: int, members: list[tuple[SourceInstance, Passed]]
) -> Iterator[tuple[SourceInstance, Passed | str]]:
    work, spool = services.stores.work, services.stores.spool
    instances = [replace(passed.out, data=work.read(passed.entry.ref)) for _, passed in members]
    try:
        cleaned = services.deidentifier.remove_faces(instances)
    except Quarantined as exc:
        for source, passed in members:
            work.delete(passed.entry.ref)
            yield source, quarantine.hold(services, source, version, spool.read(source.spool_ref), exc)
        return
    for (source, passed), before, after in zip(members, instances, cleaned, strict=True):
        if after.data == before.data:
            yield source, passed
            continue
        slot = Slot(source.study_id, source.epoch)
        ref = work.write(slot, f"{after.sop_instance_uid}.dcm", io.BytesIO(after.data))
        syntax, attributes = services.reader.read(after.data)
        entry = replace(passed.entry, ref=ref, transfer_syntax_uid=syntax, attributes=attributes)
        yield source, replace(passed, entry=entry, out=replace(after, data=b""))
