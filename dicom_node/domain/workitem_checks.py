"""Checks a work item's attributes against the rules; errors name attributes, never values.

References
----------
PS3.4 Table CC.2.5-3 and §5.4.2.1, PS3.3 §8.8 (coded entries).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dicom_node.domain.workitem import Refusal, WorkitemRefused, WorkitemState, first, has_value, items
from dicom_node.domain.workitem_rules import BY_TAG, CLOSED, MAY_BE_EMPTY_AT_END, RULES, SINGLE_ITEM

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dicom_node.domain.workitem import Model
    from dicom_node.domain.workitem_rules import Rule

_DATETIME = re.compile(
    r"\d{4}((0[1-9]|1[0-2])((0[1-9]|[12]\d|3[01])(([01]\d|2[0-3])([0-5]\d([0-5]\d|60)?)?)?)?)?"
    r"(\.\d{1,6})?([+-]\d{4})?"
)
_UID = re.compile(r"(0|[1-9]\d*)(\.(0|[1-9]\d*))*")
_CODE_VALUES = ("00080100", "00080119", "00080120")


def check_creation(model: Model) -> None:
    """Check a data set that shall become a work item.

    Raises
    ------
    WorkitemRefused
        Naming every attribute that is missing, empty or wrong.
    """
    missing = list(_missing(model, RULES, ""))
    if missing:
        raise WorkitemRefused(
            f"required to create a work item (PS3.4 Table CC.2.5-3): {', '.join(missing)}. Send what is"
            " unknown empty where the table says 2",
            Refusal.MISSING_ATTRIBUTE,
        )
    refused = list(_not_allowed(model, RULES, "", creating=True))
    if refused:
        raise WorkitemRefused(f"must not be there when a work item is created: {', '.join(refused)}")
    check_values(model)


def check_update(changes: Model) -> Model:
    """Check changes to a work item and return those that are made: undefined ones are left alone.

    Raises
    ------
    WorkitemRefused
    """
    refused = list(_not_allowed(changes, RULES, "", creating=False))
    if refused:
        raise WorkitemRefused(f"may not be set by an update (PS3.4 Table CC.2.5-3): {', '.join(refused)}")
    empty = list(_emptied(changes, RULES, ""))
    if empty:
        raise WorkitemRefused(
            f"must have a value in an update: {', '.join(empty)}", Refusal.MISSING_ATTRIBUTE
        )
    check_values(changes)
    return {tag: value for tag, value in changes.items() if tag not in BY_TAG or BY_TAG[tag].change != "u"}


def check_final(model: Model, state: WorkitemState) -> None:
    """Check that a work item may go to a final state.

    Raises
    ------
    WorkitemRefused
        With `Refusal.FINAL_STATE_NOT_MET`.
    """
    codes = {"R", "P"} if state is WorkitemState.COMPLETED else {"R", "X"}
    missing = list(_unmet(model, RULES, "", codes))
    if missing:
        raise WorkitemRefused(
            f"required before the state can be {state.value} (PS3.4 Table CC.2.5-3): {', '.join(missing)};"
            " update the work item first",
            Refusal.FINAL_STATE_NOT_MET,
        )


def check_values(model: Model) -> None:
    """Check enumerated values, dates, UIDs, progress and coded entries.

    Raises
    ------
    WorkitemRefused
    """
    problem = next(_wrong_values(model, RULES, ""), None)
    if problem is not None:
        raise WorkitemRefused(problem)


def _missing(model: Model, rules: Sequence[Rule], path: str) -> Iterator[str]:
    for rule in rules:
        if (rule.create == "1" and not has_value(model, rule.tag)) or (
            rule.create in {"0", "2"} and rule.tag not in model
        ):
            yield path + rule.keyword
        for item in items(model, rule.tag):
            yield from _missing(item, rule.nested, f"{path}{rule.keyword}.")


def _not_allowed(model: Model, rules: Sequence[Rule], path: str, *, creating: bool) -> Iterator[str]:
    for rule in rules:
        if rule.tag not in model:
            continue
        code = rule.create if creating else rule.change
        if code == "-" or (code == "0" and has_value(model, rule.tag)):
            yield path + rule.keyword + (" (must be empty)" if code == "0" else "")
        for item in items(model, rule.tag):
            yield from _not_allowed(item, rule.nested, f"{path}{rule.keyword}.", creating=creating)


def _emptied(model: Model, rules: Sequence[Rule], path: str) -> Iterator[str]:
    for rule in rules:
        looked_at = rule.tag in model or (path and rule.change == "1")
        if rule.change in {"1", "3"} and looked_at and not has_value(model, rule.tag):
            yield path + rule.keyword
        for item in items(model, rule.tag):
            yield from _emptied(item, rule.nested, f"{path}{rule.keyword}.")


def _unmet(model: Model, rules: Sequence[Rule], path: str, codes: set[str]) -> Iterator[str]:
    for rule in rules:
        enough = rule.tag in model if rule.tag == MAY_BE_EMPTY_AT_END else has_value(model, rule.tag)
        if rule.final in codes and not enough:
            yield path + rule.keyword
        elif rule.final in codes or rule.final == "O":
            for item in items(model, rule.tag):
                yield from _unmet(item, rule.nested, f"{path}{rule.keyword}.", codes)


def _wrong_values(model: Model, rules: Sequence[Rule], path: str) -> Iterator[str]:
    for rule in rules:
        name = path + rule.keyword
        found = items(model, rule.tag)
        if rule.tag in SINGLE_ITEM and len(found) > 1:
            yield f"{name} has more than one item"
        value = first(model, rule.tag)
        if isinstance(value, str | int | float):
            yield from _wrong_value(rule, name, str(value))
        if rule.keyword.endswith("CodeSequence"):
            yield from (f"{name}: {lack}" for item in found for lack in _wrong_code(item))
        for item in found:
            yield from _wrong_values(item, rule.nested, f"{name}.")


def _wrong_value(rule: Rule, name: str, value: str) -> Iterator[str]:
    if rule.tag in CLOSED and value not in CLOSED[rule.tag]:
        yield f"{name} must be one of {', '.join(CLOSED[rule.tag])}"
    if rule.keyword.endswith("DateTime") and not _DATETIME.fullmatch(value):
        yield f"{name} is no DT value (PS3.5 §6.2)"
    if rule.keyword.endswith("UID") and (len(value) > 64 or not _UID.fullmatch(value)):
        yield f"{name} is no UID (PS3.5 §9.1)"
    if rule.keyword == "ProcedureStepProgress" and not _is_percentage(value):
        yield f"{name} must be a number from 0 to 100"


def _wrong_code(item: Model) -> Iterator[str]:
    if not any(has_value(item, tag) for tag in _CODE_VALUES):
        yield "an item has no CodeValue"
    if has_value(item, "00080100") and not has_value(item, "00080102"):
        yield "an item has no CodingSchemeDesignator"
    if not has_value(item, "00080104"):
        yield "an item has no CodeMeaning"


def _is_percentage(text: str) -> bool:
    try:
        return 0 <= float(text) <= 100
    except ValueError:
        return False


def is_uid(text: str) -> bool:
    """Whether it is a UID by PS3.5 §9.1."""
    return len(text) <= 64 and _UID.fullmatch(text) is not None


def is_ae_title(text: str) -> bool:
    """Whether it is an AE title by PS3.5 §6.2: up to 16 printable characters, not all of them spaces."""
    return len(text) <= 16 and bool(text.strip()) and all(" " <= c <= "~" and c != "\\" for c in text)
