"""Measured values, volumes of segments among them, against the numbers of reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dicom_node.domain.errors import ConfigurationError, InferenceFailed
from dicom_node.domain.finding import Code
from inference.evaluation.agreement import judge_values
from inference.evaluation.sr.codes import same, told
from inference.evaluation.sr.values import value_of_segment, value_of_series
from inference.runner.arrays import unpack_arrays

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dicom_node.domain.finding import Measurement, Prediction
    from dicom_node.ports.models import StudyInput
    from inference.contract.outputs import OutputSegment
    from inference.contract.package import ModelManifest
    from inference.evaluation.sr.content import Passage

_VOLUME = Code("118565006", "SCT", "Volume")
_MILLILITRE = Code("mL", "UCUM", "milliliter")


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A value that the package gives, of a segment or of the whole series."""

    segment: OutputSegment | None
    name: Code
    unit: Code

    @property
    def label(self) -> str:
        of = f"{self.segment.label}: " if self.segment is not None else ""
        return f"{of}{self.name.meaning}"


class ValueComparison:
    """`Comparison` of what a package measures: the same concept, of the same segment, in the same unit.

    The volume of a segment is counted from the mask where the package does not report it.

    Raises
    ------
    ConfigurationError
        If the package measures nothing.
    """

    def __init__(self, manifest: ModelManifest) -> None:
        self._wanted = tuple(_wanted(manifest))
        if not self._wanted:
            raise ConfigurationError(f"{manifest.name} measures nothing to compare with reports")
        self._segments = [segment.type for segment in manifest.segments]
        self._pairs: dict[str, list[tuple[float, float]]] = {one.label: [] for one in self._wanted}
        self._patients: dict[str, list[int]] = {one.label: [] for one in self._wanted}

    @property
    def looked_for(self) -> str:
        """Concepts, units and the findings of their groups."""
        each = []
        for one in self._wanted:
            of = f" in a group whose finding is {told(one.segment.type)}" if one.segment is not None else ""
            each.append(f"{told(one.name)} in {one.unit.value}{of}")
        return "; ".join(each)

    def speaks(self, passages: Sequence[Passage]) -> bool:
        """Whether a report holds a number of one of the concepts."""
        numbers = [number for passage in passages for number in passage.numbers]
        return any(same(number.name, one.name) for number in numbers for one in self._wanted)

    def check(self, passages: Sequence[Passage]) -> None:
        """Take at least one value."""
        known, problems = self._known(passages)
        if not known:
            raise InferenceFailed(
                problems[0] if problems else "its values are of other findings than the package's"
            )

    def add(
        self, study: StudyInput, prediction: Prediction, passages: Sequence[Passage], patient: int
    ) -> tuple[str, ...]:
        """Take in what was measured on a series."""
        del study
        known, problems = self._known(passages)
        for one, pair in [(one, (_found(one, prediction), value)) for one, value in known]:
            self._pairs[one.label].append(pair)
            self._patients[one.label].append(patient)
        return tuple(problems)

    def report(self, seed: int) -> dict[str, Any]:
        """Bias, errors and agreement of each value."""
        figures = {}
        for one in self._wanted:
            pairs, patients = self._pairs[one.label], self._patients[one.label]
            figures[one.label] = judge_values(pairs, patients, seed=seed) | {"unit": one.unit.value}
        return {"task": "measurement", "figures": figures}

    def _known(self, passages: Sequence[Passage]) -> tuple[list[tuple[_Wanted, float]], list[str]]:
        known, problems = [], []
        for one in self._wanted:
            try:
                if one.segment is None:
                    value = value_of_series(passages, self._segments, one.name, one.unit)
                else:
                    value = value_of_segment(passages, one.segment.type, one.name, one.unit)
            except InferenceFailed as exc:
                problems.append(str(exc))
                continue
            if value is not None:
                known.append((one, value))
        return known, problems


def _wanted(manifest: ModelManifest) -> Iterator[_Wanted]:
    for segment in manifest.segments:
        names = [measurement.name for measurement in segment.measurements]
        for measurement in segment.measurements:
            yield _Wanted(segment, measurement.name, measurement.unit)
        if not any(same(name, _VOLUME) for name in names):
            yield _Wanted(segment, _VOLUME, _MILLILITRE)
    for measurement in manifest.measurements:
        yield _Wanted(None, measurement.name, measurement.unit)


def _found(one: _Wanted, prediction: Prediction) -> float:
    measured: Sequence[Measurement] = prediction.measurements
    if one.segment is not None:
        number = one.segment.number
        measured = [
            m for segment in prediction.segments if segment.number == number for m in segment.measurements
        ]
    for measurement in measured:
        if measurement.name == one.name and measurement.unit == one.unit:
            return measurement.value
    if one.segment is None or prediction.spacing_mm is None:
        raise InferenceFailed("the series does not tell the size of its voxels")
    mask = unpack_arrays(prediction.arrays)["mask"]
    return float((mask == one.segment.number).sum()) * float(np.prod(prediction.spacing_mm)) / 1000
