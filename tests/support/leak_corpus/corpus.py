"""The whole corpus: the same seed gives the same bytes."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from leak_corpus.bytes_beside import BESIDE
from leak_corpus.everywhere import EVERYWHERE
from leak_corpus.hard import HARD
from leak_corpus.objects import OBJECTS
from leak_corpus.patient import PATIENT
from leak_corpus.private import NESTED, PRIVATE
from leak_corpus.stays import STAYS
from leak_corpus.structured import STRUCTURES
from leak_corpus.text import TEXT

if TYPE_CHECKING:
    from leak_corpus.model import Case

CATALOGUES = (PATIENT, TEXT, PRIVATE, NESTED, STRUCTURES, OBJECTS, BESIDE, HARD, EVERYWHERE, STAYS)


def case_ids() -> list[str]:
    """Names of all cases."""
    return [name for catalogue in CATALOGUES for name in catalogue.plants]


def build(seed: int) -> list[Case]:
    """All cases, their people and wording drawn by the seed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns of the odd values that are planted
        return [case for catalogue in CATALOGUES for case in catalogue.build(seed)]


def build_case(case_id: str, seed: int) -> Case:
    """One case of the corpus, as `build` has it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return next(c.build_one(case_id, seed) for c in CATALOGUES if case_id in c.plants)
