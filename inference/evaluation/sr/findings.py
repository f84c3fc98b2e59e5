"""What reports say of a finding, all taken together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicom_node.domain.errors import InferenceFailed
from inference.evaluation.sr.codes import same
from inference.evaluation.sr.content import Presence

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dicom_node.domain.finding import Code
    from inference.contract.outputs import ClassificationOutput
    from inference.evaluation.sr.content import Passage


def presence_of(passages: Iterable[Passage], finding: Code) -> Presence | None:
    """Whether a finding is there; `None` where nothing is said of it.

    In one passage, being called present or absent outright counts more than being named as a finding.

    Raises
    ------
    InferenceFailed
        If passages contradict each other.
    """
    votes: set[Presence] = set()
    for passage in passages:
        said = [one for one in passage.said if same(one.finding, finding)]
        outright = [one for one in said if one.outright]
        votes |= {one.presence for one in outright or said}
    if len(votes - {Presence.OPEN}) > 1:
        raise InferenceFailed("reports of one series say both that a finding is there and that it is not")
    return next(iter(votes - {Presence.OPEN} or votes), None)


def true_class(output: ClassificationOutput, passages: Sequence[Passage]) -> int | None:
    """Index of the class of a multi-class package that reports name; `None` where they name none.

    Where all classes but one are said to be absent, it is that one.

    Raises
    ------
    InferenceFailed
        If they name several.
    """
    told = [presence_of(passages, one.code) for one in output.classes]
    there = [index for index, presence in enumerate(told) if presence is Presence.PRESENT]
    if len(there) > 1:
        raise InferenceFailed(
            "the reports of one series name several classes, and the package tells them apart"
        )
    if there:
        return there[0]
    left = [index for index, presence in enumerate(told) if presence is not Presence.ABSENT]
    return left[0] if len(left) == 1 else None


def true_labels(output: ClassificationOutput, passages: Sequence[Passage]) -> list[bool | None]:
    """Of each class of a multi-label package, whether reports say that it is there; `None`: they do not say.

    Raises
    ------
    InferenceFailed
        If they contradict each other.
    """
    meaning = {Presence.PRESENT: True, Presence.ABSENT: False, Presence.OPEN: None, None: None}
    return [meaning[presence_of(passages, one.code)] for one in output.classes]
