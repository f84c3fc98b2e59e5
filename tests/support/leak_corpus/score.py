"""Scores outcomes: leaks of secrets, and the share of right actions by MIDI-B's names."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from leak_corpus.model import ACTIONS, Check, Leak
from leak_corpus.reading import decoded, inflated, read, resolve, samples, text_under, texts, unused_bits

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from leak_corpus.model import Case, Outcome, Secret
    from pydicom.dataset import Dataset

#: Shorter byte strings turn up in pixels by chance.
_MIN_RAW = 6
#: Shorter texts count as whole words only.
_MIN_INSIDE = 5
_ALWAYS = ("latin-1", "utf-8", "utf-16-le", "utf-16-be")


@dataclass(slots=True)
class Verdict:
    """One case.

    Attributes
    ----------
    wrong
        Checks that failed, with what was found instead where that is no secret.
    refused
        Reasons of files that were kept back though they had to pass, or passed though they had not.
    """

    case: str
    leaks: list[Leak] = field(default_factory=list)
    right: Counter[str] = field(default_factory=Counter)
    wrong: list[Check] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Score:
    """Many cases."""

    verdicts: list[Verdict]

    @property
    def leaks(self) -> list[Leak]:
        """All leaks."""
        return [leak for verdict in self.verdicts for leak in verdict.leaks]

    @property
    def refused(self) -> list[str]:
        """Wrong refusals, and things let through that had to be kept back."""
        return [f"{verdict.case}: {reason}" for verdict in self.verdicts for reason in verdict.refused]

    def by_action(self) -> dict[str, tuple[int, int]]:
        """(right, all) by action."""
        right: Counter[str] = Counter()
        wrong: Counter[str] = Counter()
        for verdict in self.verdicts:
            right.update(verdict.right)
            wrong.update(check.action for check in verdict.wrong)
        return {action: (right[action], right[action] + wrong[action]) for action in ACTIONS}

    @property
    def share(self) -> float:
        """Right actions among all."""
        counts = self.by_action().values()
        return sum(right for right, _ in counts) / max(1, sum(every for _, every in counts))


def score(case: Case, outcome: Outcome, options: Iterable[str]) -> Verdict:
    """Judge one case under a profile's options."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns of the odd values that are planted
        return _scored(case, outcome, frozenset(options))


def _scored(case: Case, outcome: Outcome, options: frozenset[str]) -> Verdict:
    verdict = Verdict(case.id)
    _refusals(case, outcome, verdict)
    secrets = [s for s in case.secrets if not s.kept_by & options]
    for number, data in enumerate(outcome.outputs):
        if data is not None:
            shifted = {
                f"/{check.path[0]}": check.value
                for check in case.checks
                if check.action == "date_shifted" and check.instance == number and len(check.path) == 1
            }
            for leak in leaks_in(secrets, data, shifted):
                verdict.leaks.append(Leak(case.id, leak[0], f"file {number}: {leak[1]}"))
    spoken = outcome.log + "\n".join(outcome.reasons)
    verdict.leaks += [
        Leak(case.id, secret.where, "log") for secret in secrets if _pattern(secret.text).search(spoken)
    ]
    _checks(case, outcome, options, verdict)
    return verdict


def _refusals(case: Case, outcome: Outcome, verdict: Verdict) -> None:
    for data, reason in zip(outcome.outputs, outcome.reasons, strict=True):
        if data is None and case.refusal == "never":
            verdict.refused.append(f"kept back: {reason}")
        elif data is not None and case.refusal == "expected":
            verdict.refused.append("let through")


# ---------------------------------------------------------------- leaks


@lru_cache(maxsize=100_000)
def _pattern(text: str) -> re.Pattern[str]:
    inside = re.escape(text)
    if text[0].isdigit() and re.fullmatch(r"[\d.]+", text):
        return re.compile(rf"(?<!\d){inside}" if "." in text else inside)
    if text.isascii() and len(text) < _MIN_INSIDE:
        inside = rf"(?<![^\W_]){inside}(?![^\W_])"
    return re.compile(inside, re.IGNORECASE)


def leaks_in(
    secrets: Iterable[Secret], part10: bytes, shifted: Mapping[str, str] | None = None
) -> list[tuple[str, str]]:
    """(where planted, where found) of every secret in a file: its text, its bytes, its unused bits.

    Parameters
    ----------
    shifted
        Path to original date of attributes whose date is to be shifted: another day that stands there
        came there by the shift.
    """
    ds = read(part10)
    raw = (inflated(part10, ds) + b"\n" + unused_bits(ds)).lower()
    pieces = [*texts(ds), *texts(ds.file_meta)]
    joined = "\n".join(text for _, text in pieces)
    found = []
    for secret in dict.fromkeys(secrets):
        pattern = _pattern(secret.text)
        if pattern.search(joined):
            places = [path for path, text in pieces if pattern.search(text)]
            by_chance = [path for path in places if secret.text != (shifted or {}).get(path, secret.text)]
            if places and places == by_chance:
                continue
            found.append((secret.where, ", ".join(places[:3]) or "across values"))
            continue
        for encoding in dict.fromkeys((*_ALWAYS, *secret.encodings)):
            try:
                needle = secret.text.encode(encoding).lower()
            except UnicodeEncodeError:
                continue
            if len(needle) >= _MIN_RAW and needle in raw:
                found.append((secret.where, f"bytes, {encoding}"))
                break
    return found


# ---------------------------------------------------------------- actions


def _checks(case: Case, outcome: Outcome, options: frozenset[str], verdict: Verdict) -> None:
    asked = [check for check in case.checks if check.needs is None or check.needs in options]
    refusable = case.refusal != "never"
    results = {number: read(data) for number, data in enumerate(outcome.outputs) if data is not None}
    shifts = _shifts(asked, results)
    mapped = _mappings(asked, results)
    for check in asked:
        ds = results.get(check.instance)
        if ds is None:
            if not refusable:
                verdict.wrong.append(check)
            continue
        if check.optional and resolve(ds, check.path) is None:
            continue
        if _right(check, case, ds, shifts, mapped):
            verdict.right[check.action] += 1
        else:
            verdict.wrong.append(check)
            if check.action == "text_removed":
                verdict.leaks.append(Leak(case.id, _named(check), f"file {check.instance}: {_named(check)}"))


def _named(check: Check) -> str:
    return "/".join(str(step) for step in check.path)


def _right(
    check: Check,
    case: Case,
    ds: Dataset,
    shifts: dict[int, int],
    mapped: dict[tuple[str, str], Counter[str]],
) -> bool:
    if check.action.startswith("pixels"):
        source = read(case.files[check.instance])
        return _pixels_kept(source, ds) if check.action == "pixels_retained" else _hidden(check, source, ds)
    text = text_under(ds, check.path)
    if check.action == "tag_retained":
        return resolve(ds, check.path) is not None
    if check.action == "text_notnull":
        return bool(text and text.strip(" \0"))
    if check.action == "text_removed":
        return text is None or not _pattern_word(check.value).search(text)
    if text is None:
        return False
    if check.action == "text_retained":
        return check.value.casefold() in text.casefold()
    value = text.strip(" \0")
    if check.action == "date_shifted":
        days = _shift(check.value, value)
        return bool(days) and days == shifts[check.patient]
    if check.action == "uid_changed":
        return value not in ("", check.value) and not value.startswith(check.value.rsplit(".", 1)[0])
    kind = check.action.split("_")[0]
    (common, _), *_ = mapped[kind, check.value].most_common(1)
    others = {v for (k, original), c in mapped.items() if (k, original) != (kind, check.value) for v in c}
    return value not in ("", check.value.rpartition("|")[2]) and value == common and value not in others


def _pattern_word(text: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![^\W_]){re.escape(text)}(?![^\W_])", re.IGNORECASE)


def _day(text: str) -> date | None:
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        return None


def _shift(original: str, value: str) -> int | None:
    """Days between two dates; `None` where one is none, or the time of day differs."""
    before, after = _day(original), _day(value)
    if before is None or after is None or original[8:] != value[8:]:
        return None
    return (after - before).days


def _shifts(checks: list[Check], results: dict[int, Dataset]) -> dict[int, int]:
    """The most common shift of each patient, 0 where it holds for one of several dates only."""
    seen: dict[int, dict[int, Counter[str]]] = {}
    dates: dict[int, set[str]] = {}
    for check in checks:
        if check.action == "date_shifted" and check.instance in results:
            dates.setdefault(check.patient, set()).add(check.value)
            value = (text_under(results[check.instance], check.path) or "").strip(" \0")
            days = _shift(check.value, value)
            if days is not None:
                seen.setdefault(check.patient, {}).setdefault(days, Counter())[check.value] += 1
    common: dict[int, int] = {}
    for patient, by_days in seen.items():
        days, originals = max(by_days.items(), key=lambda item: (len(item[1]), item[1].total()))
        common[patient] = days if len(originals) > 1 or len(dates[patient]) == 1 else 0
    return common


def _mappings(checks: list[Check], results: dict[int, Dataset]) -> dict[tuple[str, str], Counter[str]]:
    """What became of each UID and patient ID, by (uid or patid, original)."""
    mapped: dict[tuple[str, str], Counter[str]] = {}
    for check in checks:
        if check.action in ("uid_consistent", "patid_consistent") and check.instance in results:
            text = text_under(results[check.instance], check.path)
            if text is None and check.optional:
                continue
            value = (text or "").strip(" \0")
            mapped.setdefault((check.action.split("_")[0], check.value), Counter())[value] += 1
    return mapped


def _pixels_kept(source: Dataset, ds: Dataset) -> bool:
    before, after = samples(source), samples(ds)
    if before is None or after is None:
        return before == after
    if before == after:
        return True
    try:
        return bool(np.array_equal(decoded(source), decoded(ds)))
    except (ValueError, RuntimeError, AttributeError, NotImplementedError):
        return False


def _hidden(check: Check, source: Dataset, ds: Dataset) -> bool:
    """The box is of one colour in every frame, and the rest of the image still what it was."""
    x, y, width, height = (int(part) for part in check.value.split(","))
    before, after = decoded(source), decoded(ds)
    frames = after if int(ds.get("NumberOfFrames") or 1) > 1 else after[None]
    box = frames[:, y : y + height, x : x + width]
    flat = all(bool((frame == frame[:1, :1]).all()) for frame in box)
    return flat and before.shape == after.shape and not bool((after == after.flat[0]).all())
