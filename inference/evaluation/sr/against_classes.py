"""Classes against what reports find."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dicom_node.domain.errors import ConfigurationError, InferenceFailed
from inference.attributes import MANUFACTURER, text
from inference.evaluation.classification import ClassifiedCases, curve_of, judge, subgroups_of, threshold_of
from inference.evaluation.sr.codes import among, told
from inference.evaluation.sr.findings import true_class, true_labels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dicom_node.domain.finding import Prediction
    from dicom_node.ports.models import StudyInput
    from inference.contract.package import ModelManifest
    from inference.evaluation.sr.content import Passage

#: Of the series' first image; what subgroups are made of.
_ATTRIBUTES = {"sex": "00100040", "maker": MANUFACTURER}


class ClassComparison:
    """`Comparison` of a classifier: a class is what a report finds, by the class's code.

    Raises
    ------
    ConfigurationError
        If the package is no classifier.
    """

    def __init__(self, manifest: ModelManifest) -> None:
        if manifest.classification is None:
            raise ConfigurationError(f"{manifest.name} has no classes to compare with reports")
        self._output = manifest.classification
        self._probability: list[list[float]] = []
        self._truth: list[list[bool | None]] = []
        self._patients: list[int] = []
        self._attributes: dict[str, list[str]] = {name: [] for name in _ATTRIBUTES}

    @property
    def looked_for(self) -> str:
        """The classes' codes."""
        each = ", ".join(told(one.code) for one in self._output.classes)
        return (
            f"{each}, as the value of a finding, impression, conclusion or diagnosis, or evaluated as present"
            " or absent (PS3.16 CID 240)"
        )

    def speaks(self, passages: Sequence[Passage]) -> bool:
        """Whether a report names a class."""
        findings = [finding for passage in passages for finding in passage.findings]
        return any(among(finding, [one.code for one in self._output.classes]) for finding in findings)

    def check(self, passages: Sequence[Passage]) -> None:
        """Take exactly one class, or of several labels at least one that is told."""
        self._true(passages)

    def add(
        self, study: StudyInput, prediction: Prediction, passages: Sequence[Passage], patient: int
    ) -> tuple[str, ...]:
        """Take in the probabilities of a series."""
        shown = next(
            entry.attributes
            for entry in study.instances
            if entry.series_instance_uid == prediction.series_instance_uid
        )
        for name, tag in _ATTRIBUTES.items():
            self._attributes[name].append(text(shown, tag))
        self._truth.append(self._true(passages))
        self._probability.append([one.probability for one in prediction.classes])
        self._patients.append(patient)
        return ()

    def report(self, seed: int) -> dict[str, Any]:
        """As that of a folder of pictures; of labels that are told apart one for each."""
        if self._output.mode != "multi-label":
            cases = self._of_classes()
            return {
                "task": "classification",
                "classes": list(cases.classes),
                "figures": judge(cases, seed=seed),
                "subgroups": subgroups_of(cases, self._attributes, seed=seed),
                "curve": curve_of(cases),
            }
        each = {one.label: self._of_label(index) for index, one in enumerate(self._output.classes)}
        return {
            "task": "labels",
            "figures": {label: judge(cases, seed=seed) for label, cases in each.items()},
            "curves": {label: curve_of(cases) for label, cases in each.items() if len(cases.labels)},
        }

    def _true(self, passages: Sequence[Passage]) -> list[bool | None]:
        if self._output.mode == "multi-label":
            labels = true_labels(self._output, passages)
            if all(label is None for label in labels):
                raise InferenceFailed("the reports leave open whether the package's classes are there")
            return labels
        index = true_class(self._output, passages)
        if index is None:
            raise InferenceFailed("the reports say which classes are absent, not which one is there")
        return [place == index for place in range(len(self._output.classes))]

    def _of_classes(self) -> ClassifiedCases:
        classes = self._output.classes
        return ClassifiedCases(
            classes=tuple(one.label for one in classes),
            probability=np.array(self._probability, dtype=np.float64).reshape(-1, len(classes)),
            labels=np.array([row.index(True) for row in self._truth], dtype=np.int64),
            groups=np.array(self._patients, dtype=np.int64),
            abnormal=tuple(index for index, one in enumerate(classes) if one.abnormal),
            threshold=threshold_of(self._output),
        )

    def _of_label(self, column: int) -> ClassifiedCases:
        known = [place for place, row in enumerate(self._truth) if row[column] is not None]
        score = np.array([self._probability[place][column] for place in known], dtype=np.float64)
        one = self._output.classes[column]
        return ClassifiedCases(
            classes=(f"no {one.label}", one.label),
            probability=np.stack([1 - score, score], axis=1),
            labels=np.array([int(bool(self._truth[place][column])) for place in known], dtype=np.int64),
            groups=np.array([self._patients[place] for place in known], dtype=np.int64),
            abnormal=(1,),
            threshold=one.threshold,
        )
