"""Runs a package on studies with known answers as the node would, and keeps account of each."""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dicom_node.domain.errors import InferenceFailed, ModelProcessFailed
from dicom_node.domain.run import RunStatus
from inference.attributes import text
from inference.routing.router import Router
from inference.routing.rule import Route
from inference.runner.offline import run_decided

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dicom_node.domain.finding import Prediction
    from dicom_node.domain.run import RoutingDecision
    from inference.contract.package import ModelManifest
    from inference.registry import ModelRegistry
    from inference.routing.folder import FolderStudy
    from inference.runner.engine import ProcessEngine

_PATIENT_ID = "00100020"


class Account:
    """What was read, what of it was used, and why the rest was not; and what the model answered.

    Parameters
    ----------
    uids
        SOP Instance UIDs of the references that were read.
    tell
        Is told the UID of each reference that is left out, and why. Reports hold counts only.
    """

    def __init__(self, uids: Sequence[str], tell: Callable[[str], None]) -> None:
        self._uids = tuple(uids)
        self._tell = tell
        self._used: set[int] = set()
        self._why: dict[int, str] = {}
        self._parts: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._by_algorithm: set[int] = set()
        self._answered = 0
        self._asked = 0

    def use(self, reference: int) -> None:
        """Count a reference, by its place among all, as used."""
        self._used.add(reference)

    def leave_out(self, reference: int, why: str) -> None:
        """Say why a reference is not used, unless it is elsewhere; the last word counts."""
        self._why[reference] = why

    def leave_out_part(self, why: str) -> None:
        """Say why a part of a reference is not used."""
        self._parts[why] += 1

    def by_algorithm(self, reference: int) -> None:
        """Count a reference as one that no person made, or not alone."""
        self._by_algorithm.add(reference)

    def ask(self) -> None:
        """Count a series that has a known answer."""
        self._asked += 1

    def answer(self) -> None:
        """Count an answer of the model."""
        self._answered += 1

    def refuse(self, *kinds: str) -> None:
        """Count why there was no answer."""
        self._refused.update(kinds)

    @property
    def used(self) -> int:
        """How many references were used."""
        return len(self._used)

    def close(self) -> dict[str, Any]:
        """The account as parts of a report; tells of each reference that was left out."""
        left_out: Counter[str] = Counter()
        for place, uid in enumerate(self._uids):
            if place not in self._used:
                why = self._why.get(place, "nothing of it could be compared")
                left_out[why] += 1
                self._tell(f"left out {uid}: {why}")
        return {
            "references": {
                "read": len(self._uids),
                "used": len(self._used),
                "made_by_algorithms": len(self._used & self._by_algorithm),
                "left_out": dict(left_out.most_common()),
                "parts_left_out": dict(self._parts.most_common()),
            },
            "behind_gates": {
                "answered": self._answered,
                "of": self._asked,
                "refused_for": dict(self._refused.most_common()),
            },
        }


class StudyRuns:
    """Runs one package on series of studies, gates included.

    Parameters
    ----------
    account
        Is told of answers and refusals.
    """

    def __init__(
        self, registry: ModelRegistry, manifest: ModelManifest, engine: ProcessEngine, account: Account
    ) -> None:
        self._router = Router(registry, (Route("evaluate", (manifest.name,), every_series=True),))
        self._model = manifest.name
        self._engine = engine
        self._account = account
        self._patients: dict[str, int] = {}
        self._digest = hashlib.sha256()

    def choose(self, study: FolderStudy) -> tuple[RoutingDecision, tuple[str, ...]]:
        """Which series of a study the package takes, the best first."""
        self._digest.update("".join(sorted(entry.sop_instance_uid for entry in study.instances)).encode())
        decision = self._router.route(study)
        return decision, tuple(
            one.series_instance_uid for one in decision.assignments if one.model == self._model
        )

    def run(self, study: FolderStudy, decision: RoutingDecision, series: str | None) -> Prediction | None:
        """What the package says of a series; `None` where routing, a gate or an error keeps it from that."""
        self._account.ask()
        chosen = {one.series_instance_uid for one in decision.assignments if one.model == self._model}
        if series not in chosen:
            self._account.refuse("routing")
            return None
        try:
            with tempfile.TemporaryDirectory() as scratch:
                prediction = run_decided(
                    self._engine, decision, self._model, study, Path(scratch), series_instance_uid=series
                )
        except (InferenceFailed, ModelProcessFailed) as exc:
            self._account.refuse(f"error: {exc.code}")
            return None
        if prediction.status is not RunStatus.DONE:
            kinds = {str(reason.kind) for reason in prediction.reasons if not reason.passed and reason.kind}
            self._account.refuse(*sorted(kinds))
            return None
        self._account.answer()
        return prediction

    def patient_of(self, study: FolderStudy) -> int:
        """The patient of a study, as a number; one of its own where the study names none."""
        names = (text(entry.attributes, _PATIENT_ID) for entry in study.instances)
        name = next((name for name in names if name), f"\0{study.study_instance_uid}")
        return self._patients.setdefault(name, len(self._patients))

    @property
    def data_sha256(self) -> str:
        """Hash over the instances of the studies that were chosen from."""
        return self._digest.hexdigest()
