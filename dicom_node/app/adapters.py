"""Small adapters between ports and packages that know nothing of the node."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, cast

from anonymizer.context import StudyContext
from anonymizer.eligibility import WAIVABLE
from anonymizer.errors import CannotVouch, RestoreError
from anonymizer.profile import BASIC_PROFILE
from anonymizer.report import StudyReport
from dicom_node.domain.deidentification import DeidentificationReport
from dicom_node.domain.errors import Quarantined, ReidentificationFailed
from dicom_node.domain.identity import DeidentifiedInstance, OriginalIdentity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from anonymizer.context import Survey
    from anonymizer.engine import Engine
    from anonymizer.report import InstanceReport
    from anonymizer.restore import Restorer
    from anonymizer.uids import UidMapper


#: Pseudonyms that are remembered.
_KNOWN_UIDS = 4096


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

    def survey(self, part10: bytes) -> Survey:
        """See `ports.Deidentifier.survey`."""
        try:
            return self._engine.survey(part10)
        except CannotVouch as exc:
            raise _quarantined(exc, frozenset()) from exc

    def context(self, surveys: Sequence[object]) -> tuple[StudyContext, frozenset[int]]:
        """See `ports.Deidentifier.context`."""
        known = cast("Sequence[Survey]", surveys)
        context = StudyContext.of(known)
        return context, frozenset(context.sample(known))

    def deidentify(
        self, part10: bytes, context: object, *, vouched: frozenset[str] = frozenset()
    ) -> DeidentifiedInstance:
        """See `ports.Deidentifier.deidentify`."""
        try:
            out = self._engine.deidentify(part10, cast("StudyContext", context), vouched=vouched)
        except CannotVouch as exc:
            raise _quarantined(exc, vouched) from exc
        return DeidentifiedInstance(
            study_instance_uid=out.study_instance_uid,
            series_instance_uid=out.series_instance_uid,
            sop_instance_uid=out.sop_instance_uid,
            sop_class_uid=out.sop_class_uid,
            data=out.data,
            identity=OriginalIdentity(out.original_attributes, out.uids),
            report=out.report,
        )

    @property
    def removes_faces(self) -> bool:
        """See `ports.Deidentifier.removes_faces`."""
        return self._engine.faces is not None

    def remove_faces(self, series: Sequence[DeidentifiedInstance]) -> Sequence[DeidentifiedInstance]:
        """See `ports.Deidentifier.remove_faces`."""
        if self._engine.faces is None:
            return series
        try:
            outcome = self._engine.faces.clean([instance.data for instance in series])
        except CannotVouch as exc:
            raise _quarantined(exc, frozenset()) from exc
        return tuple(
            replace(instance, data=data, report=outcome.reported(cast("InstanceReport", instance.report)))
            for instance, data in zip(series, outcome.instances, strict=True)
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


def _quarantined(exc: CannotVouch, vouched: frozenset[str]) -> Quarantined:
    return Quarantined(str(exc), exc.rule, vouchable=exc.rule in WAIVABLE and exc.rule not in vouched)


class UidAdapter:
    """`ports.Pseudonymizer` over the anonymizer's keyed mapping."""

    def __init__(self, mapper: UidMapper) -> None:
        self._mapper = mapper
        # Every instance names its study and series again.
        self._pseudonym = lru_cache(_KNOWN_UIDS)(mapper.pseudonym)

    def uid(self, original: str) -> str:
        """See `ports.Pseudonymizer.uid`."""
        return self._pseudonym(original)

    def derived_uid(self, *parts: str) -> str:
        """See `ports.Pseudonymizer.derived_uid`."""
        return self._mapper.derived(*parts)
