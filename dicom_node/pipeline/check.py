"""Check stage: the output gate; what passes becomes visible, all at once."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from dicom_node.domain.catalog import CatalogEntry, CatalogKind
from dicom_node.domain.ledger import GateVerdict
from dicom_node.domain.notification import Event, EventKind
from dicom_node.domain.result import EncodedResult, ResultEntry
from dicom_node.pipeline.encode import earlier_results
from dicom_node.pipeline.study_input import study_input

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dicom_node.pipeline.services import Services


def check(
    services: Services, study_id: str, version: int, entries: Sequence[ResultEntry]
) -> dict[str, list[str]]:
    """Publish the objects that pass; return the problems of the others by SOP Instance UID."""
    results = [load_result(services, entry) for entry in entries]
    study = study_input(services, study_id, version)
    problems = services.gate.check(results, study, earlier_results(services, study_id, version))
    good = [entry for entry in entries if not problems.get(entry.sop_instance_uid)]
    data = {result.sop_instance_uid: result.data for result in results}
    catalogued = []
    for entry in good:
        transfer_syntax_uid, attributes = services.reader.read(data[entry.sop_instance_uid])
        catalogued.append(
            CatalogEntry(
                study_id=study_id,
                kind=CatalogKind.RESULT,
                study_instance_uid=study.study_instance_uid,
                series_instance_uid=entry.series_instance_uid,
                sop_instance_uid=entry.sop_instance_uid,
                sop_class_uid=entry.sop_class_uid,
                transfer_syntax_uid=transfer_syntax_uid,
                ref=entry.ref,
                attributes=attributes,
                version=version,
            )
        )
    services.index.set_results(study_id, version, good)
    services.catalog.publish(catalogued)
    services.catalog.withdraw_results(study_id, before_version=version)
    services.ledger.checked(study_id, version, [_verdict(result, problems) for result in results])
    for uid, found in problems.items():
        services.metrics.count("results_kept_back")
        services.audit.record(
            "result.kept_back", study_id=study_id, sop_instance_uid=uid, reason="; ".join(found)[:500]
        )
    services.audit.record("study.results_published", study_id=study_id, version=version, count=len(good))
    if good:
        services.announcer.announce(Event(EventKind.RESULTS_AVAILABLE, study_id, version))
    return {uid: found for uid, found in problems.items() if found}


def _verdict(result: EncodedResult, problems: Mapping[str, Sequence[str]]) -> GateVerdict:
    found = problems.get(result.sop_instance_uid)
    return GateVerdict(
        sop_instance_uid=result.sop_instance_uid,
        problem="; ".join(found)[:500] if found else None,
        size=len(result.data),
        sha256=hashlib.sha256(result.data).hexdigest(),
    )


def load_result(services: Services, entry: ResultEntry) -> EncodedResult:
    """A result with its bytes."""
    return EncodedResult(
        kind=entry.kind,
        sop_class_uid=entry.sop_class_uid,
        series_instance_uid=entry.series_instance_uid,
        sop_instance_uid=entry.sop_instance_uid,
        data=services.stores.results.read(entry.ref),
    )
