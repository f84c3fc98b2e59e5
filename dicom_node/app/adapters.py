"""Small adapters between ports and packages that know nothing of the node."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from anonymizer.errors import CannotVouch, RestoreError
from dicom_node.domain.errors import Quarantined, ReidentificationFailed
from dicom_node.domain.identity import DeidentifiedInstance, OriginalIdentity

if TYPE_CHECKING:
    from anonymizer.engine import Engine
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

    def deidentify(self, part10: bytes) -> DeidentifiedInstance:
        """See `ports.Deidentifier.deidentify`."""
        try:
            out = self._engine.deidentify(part10)
        except CannotVouch as exc:
            raise Quarantined(str(exc)) from exc
        return DeidentifiedInstance(
            study_instance_uid=out.study_instance_uid,
            series_instance_uid=out.series_instance_uid,
            sop_instance_uid=out.sop_instance_uid,
            sop_class_uid=out.sop_class_uid,
            data=out.data,
            identity=OriginalIdentity(out.original_attributes, out.uids),
        )

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
