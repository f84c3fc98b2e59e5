"""A model's run on one series, from its first gate to what the model said."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dicom_node.domain.errors import InferenceFailed
from dicom_node.domain.run import Assignment, Reason, RejectionKind
from inference.gates.source import check_source
from inference.preprocess.volume import VolumeRefused
from inference.routing.series import series_facts
from inference.runner import gates
from inference.runner.feeds import FeedMissing, feed_arrays, needed_predictions
from inference.runner.prediction import RunSource
from inference.runner.source import read_input

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from dicom_node.domain.finding import Prediction
    from dicom_node.ports.models import StudyInput
    from inference.contract.package import ModelManifest
    from inference.routing.body_part import BodyPartTable
    from inference.runner.answer import ModelAnswer
    from inference.runner.handover import HandedInput, Handover
    from inference.runner.source import RunInput


@dataclass(slots=True)
class BegunRun:
    """What is known of a run so far.

    Attributes
    ----------
    reasons
        What the gates have said.
    handed
        Its input in files, once the gates before the model let it through.
    answer
        The model's, once it was asked.
    """

    assignment: Assignment
    source: RunSource
    reasons: list[Reason] = field(default_factory=list)
    handed: HandedInput | None = None
    answer: ModelAnswer | None = None

    @property
    def passed(self) -> bool:
        """Whether no gate refused it so far."""
        return all(reason.passed for reason in self.reasons)

    def hand_over(
        self,
        manifest: ModelManifest,
        given: RunInput,
        handover: Handover,
        feeds: Mapping[str, NDArray[Any]],
    ) -> None:
        """Ask the gates that look at the decoded input, and write it for the model where they let it through.

        Raises
        ------
        ModelProcessFailed
            If it cannot be written.
        """
        self.source = given.source
        self.reasons += gates.before(manifest, given, self.assignment.series_instance_uid)
        if self.passed:
            self.handed = handover.give(given, feeds)


def begin_run(
    manifest: ModelManifest,
    assignment: Assignment,
    study: StudyInput,
    handover: Handover,
    feeds: Mapping[str, Prediction],
    *,
    table: BodyPartTable,
) -> BegunRun:
    """Read a series and ask all gates that stand before the model.

    Raises
    ------
    InferenceFailed
        If the study does not hold the series.
    ModelProcessFailed
        If the input cannot be written for the model.
    """
    series = assignment.series_instance_uid
    entries = [e for e in study.instances if e.series_instance_uid == series]
    if not entries:
        raise InferenceFailed("the study holds no instances of the series any more")
    begun = BegunRun(assignment, RunSource(tuple(entry.sop_instance_uid for entry in entries)))
    facts = series_facts(entries, table)
    begun.reasons += check_source(manifest, facts, table)
    if not begun.passed:
        return begun
    try:
        needed = needed_predictions(manifest.requires, feeds, series)
        given = read_input(manifest, facts.sop_instance_uids, study)
        arrays = feed_arrays(needed, given, study, series)
    except VolumeRefused as exc:
        begun.reasons.append(Reason(series, f"volume.{exc.rule}", False, exc.text, RejectionKind.GEOMETRY))
    except FeedMissing as exc:
        begun.reasons.append(exc.reason)
    else:
        begun.hand_over(manifest, given, handover, arrays)
    return begun
