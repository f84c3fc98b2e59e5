"""Small adapters between ports and packages that know nothing of the node."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from anonymizer.eligibility import WAIVABLE
from anonymizer.errors import CannotVouch, RestoreError
from anonymizer.profile import BASIC_PROFILE
from anonymizer.report import StudyReport
from dicom_node.domain.deidentification import DeidentificationReport
from dicom_node.domain.errors import Quarantined, ReidentificationFailed
from dicom_node.domain.identity import DeidentifiedInstance, OriginalIdentity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from anonymizer.engine import Engine
    from anonymizer.report import InstanceReport
    from anonymizer.restore import Restorer
    from anonymizer.uids import UidMapper


class SystemClock:
    """`ports.Clock` over the machine's clock."""

    def now(self) -> datetime:
        """Time zone aware, UTC."""
        return datetime.now(UTC)


class AnonymizerAdapter:
    """`ports.Deidentifier` and `ports.Reidentifier` over the `anonymizer` package."""

    def __init__(self, engine: Engine, restorer: Restorer) -> None:
        self._engine = engine
        self._restorer = restorer

    def deidentify(self, part10: bytes, *, vouched: frozenset[str] = frozenset()) -> DeidentifiedInstance:
        """See `ports.Deidentifier.deidentify`."""
        try:
            out = self._engine.deidentify(part10, vouched=vouched)
        except CannotVouch as exc:
            vouchable = exc.rule in WAIVABLE and exc.rule not in vouched
            raise Quarantined(str(exc), exc.rule, vouchable=vouchable) from exc
        return DeidentifiedInstance(
            study_instance_uid=out.study_instance_uid,
            series_instance_uid=out.series_instance_uid,
            sop_instance_uid=out.sop_instance_uid,
            sop_class_uid=out.sop_class_uid,
            data=out.data,
            identity=OriginalIdentity(out.original_attributes, out.uids),
            report=out.report,
        )

    def summarise(self, reports: Iterable[object], quarantined: Mapping[str, int]) -> DeidentificationReport:
        """See `ports.Deidentifier.summarise`."""
        engine = self._engine
        total = StudyReport(f"{BASIC_PROFILE[1]}, PS3.15 {engine.edition}", options=engine.profile.codes)
        total.add_all(cast("Iterable[InstanceReport]", reports))
        for reason, count in quarantined.items():
            total.quarantined[reason] += count
        return DeidentificationReport.from_json(total.as_json())

    def restore(self, part10: bytes, identity: OriginalIdentity, own_uids: frozenset[str]) -> bytes:
        """See `ports.Reidentifier.restore`."""
        try:
            return self._restorer.restore(part10, identity.attributes, identity.uids, own_uids)
        except RestoreError as exc:
            raise ReidentificationFailed(str(exc)) from exc


class UidAdapter:
    """`ports.Pseudonymizer` over the anonymizer's keyed mapping."""

    def __init__(self, mapper: UidMapper) -> None:
        self._mapper = mapper

    def uid(self, original: str) -> str:
        """See `ports.Pseudonymizer.uid`."""
        return self._mapper.pseudonym(original)

    def derived_uid(self, *parts: str) -> str:
        """See `ports.Pseudonymizer.derived_uid`."""
        return self._mapper.derived(*parts)
