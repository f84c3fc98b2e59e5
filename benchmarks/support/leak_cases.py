"""The leak corpus of the tests, for benchmarks."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "tests" / "support"))

from leak_corpus.corpus import build  # the path comes first
from leak_corpus.model import ACTIONS, Case, Outcome
from leak_corpus.runner import overheard, run
from leak_corpus.score import Score, score

__all__ = ["ACTIONS", "Case", "Outcome", "Score", "build", "overheard", "run", "score"]
