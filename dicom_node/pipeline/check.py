"""Check stage: the output gate; what passes becomes visible, all at once."""

from __future__ import annotations

import contextlib
import hashlib
from typing import TYPE_CHECKING, Any

from dicom_node.domain.catalog import CatalogEntry, CatalogKind
from dicom_node.domain.errors import InvalidInstance
from dicom_node.domain.ledger import GateVerdict
from dicom_node.domain.notification import Event, EventKind
from dicom_node.domain.result import EncodedResult, ResultEntry
from dicom_node.pipeline.encode import earlier_results
from dicom_node.pipeline.study_input import study_input

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dicom_node.pipeline.services import Services


class StoredResult:
    """A result object in the store, for the gate (`ports.models.UncheckedResult`): read at each look.

    What ledger and catalogue need of the bytes is taken at the first look, so that they are read once.
    """

    def __init__(self, services: Services, entry: ResultEntry) -> None:
        self._services = services
        self._facts: tuple[int, str] | None = None
        self._attributes: tuple[str, dict[str, Any]] | None = None
        self.entry = entry
        self.kind = entry.kind
        self.sop_class_uid = entry.sop_class_uid
        self.series_instance_uid = entry.series_instance_uid
        self.sop_instance_uid = entry.sop_instance_uid

    @property
    def data(self) -> bytes:
        """Part 10 bytes.

        Raises
        ------
        NotFound, StorageFailure
        """
        data = self._services.stores.results.read(self.entry.ref)
        if self._facts is None:
            self._facts = len(data), hashlib.sha256(data).hexdigest()
            with contextlib.suppress(InvalidInstance):
                # What the gate will say of it is not known yet.
                self._attributes = self._services.reader.read(data)
        return data

    @property
    def facts(self) -> tuple[int, str]:
        """Bytes and SHA-256."""
        if self._facts is None:
            self.data  # noqa: B018  the look takes the facts
        assert self._facts is not None  # noqa: S101  just taken
        return self._facts

    @property
    def attributes(self) -> tuple[str, dict[str, Any]]:
        """Transfer syntax UID, and what the catalogue has of it.

        Raises
        ------
        InvalidInstance
            If it is no DICOM file.
        """
        return self._attributes or self._services.reader.read(self.data)


def check(
    services: Services, study_id: str, version: int, entries: Sequence[ResultEntry]
) -> dict[str, list[str]]:
    """Publish the objects that pass; return the problems of the others by SOP Instance UID.

    The gate looks at one object after the other: a study's results need not fit into memory together.
    """
    results = [StoredResult(services, entry) for entry in entries]
    study = study_input(services, study_id, version)
    problems = services.gate.check(results, study, earlier_results(services, study_id, version))
    good = [result for result in results if not problems.get(result.sop_instance_uid)]
    catalogued = [_catalogued(result, study_id, study.study_instance_uid, version) for result in good]
    services.index.set_results(study_id, version, [result.entry for result in good])
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


def _catalogued(result: StoredResult, study_id: str, study_instance_uid: str, version: int) -> CatalogEntry:
    transfer_syntax_uid, attributes = result.attributes
    return CatalogEntry(
        study_id=study_id,
        kind=CatalogKind.RESULT,
        study_instance_uid=study_instance_uid,
        series_instance_uid=result.series_instance_uid,
        sop_instance_uid=result.sop_instance_uid,
        sop_class_uid=result.sop_class_uid,
        transfer_syntax_uid=transfer_syntax_uid,
        ref=result.entry.ref,
        attributes=attributes,
        version=version,
    )


def _verdict(result: StoredResult, problems: Mapping[str, Sequence[str]]) -> GateVerdict:
    found = problems.get(result.sop_instance_uid)
    size, sha256 = result.facts
    return GateVerdict(
        sop_instance_uid=result.sop_instance_uid,
        problem="; ".join(found)[:500] if found else None,
        size=size,
        sha256=sha256,
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
