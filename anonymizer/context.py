"""What the instances of a study know together: who is named in any of them, and which pixels to look at.

A name that stands in one instance only must not stay in the text of another; so a study is surveyed before
its first instance is de-identified.

References
----------
PS3.15 §E.1.1 (consistency within a set of instances), §E.3.1, §E.3.5.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from anonymizer.text.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from anonymizer.text.elements import ElementText


@dataclass(frozen=True, slots=True)
class Survey:
    """What one instance tells about its study. Identity.

    Attributes
    ----------
    number
        Instance Number; 0 where there is none.
    """

    study_instance_uid: str = field(repr=False)
    series_instance_uid: str = field(repr=False)
    sop_instance_uid: str = field(repr=False)
    number: int
    evidence: Evidence = field(repr=False)


class StudyContext:
    """The surveys of a study, taken together. Thread-safe."""

    def __init__(self, evidence: Evidence, sampled: frozenset[str]) -> None:
        self.evidence = evidence
        self._sampled = sampled
        self._suspects: set[str] = set()
        self._words: dict[str, ElementText] = {}
        self._lock = threading.Lock()

    @classmethod
    def of(cls, surveys: Sequence[Survey]) -> StudyContext:
        """The context of all instances that will be de-identified together.

        The first, the middle and the last instance of each series are the sample whose pixels are looked
        at, even where their kind seldom holds text.
        """
        series: dict[str, list[Survey]] = {}
        for survey in surveys:
            series.setdefault(survey.series_instance_uid, []).append(survey)
        evidence = Evidence.merged(survey.evidence for survey in surveys)
        sampled = set()
        for members in series.values():
            members.sort(key=lambda survey: (survey.number, survey.sop_instance_uid))
            for position in (0, len(members) // 2, -1):
                sampled.add(members[position].sop_instance_uid)
        return cls(evidence, frozenset(sampled))

    def sample(self, surveys: Sequence[Survey]) -> list[int]:
        """Positions of the sample among surveys: what it shows decides about the rest of its series."""
        return [n for n, survey in enumerate(surveys) if survey.sop_instance_uid in self._sampled]

    def is_sampled(self, sop_instance_uid: str) -> bool:
        """Whether an instance belongs to the sample."""
        return sop_instance_uid in self._sampled

    def must_look(self, series_instance_uid: str, sop_instance_uid: str) -> bool:
        """Whether the pixels of an instance must be looked at, whatever its kind."""
        return sop_instance_uid in self._sampled or series_instance_uid in self._suspects

    def suspect(self, series_instance_uid: str) -> None:
        """Have all instances of a series looked at from now on: text was found in one."""
        self._suspects.add(series_instance_uid)

    def words(self, patient: str, make: Callable[[Evidence], ElementText]) -> ElementText:
        """The cleaner of texts of a patient, made once."""
        with self._lock:
            found = self._words.get(patient)
            if found is None:
                found = self._words[patient] = make(self.evidence)
            return found
