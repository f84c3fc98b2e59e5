"""Reads a training plan (YAML), so that a training can be done again exactly."""

from __future__ import annotations

from dataclasses import MISSING, asdict, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml

from dicom_node.domain.errors import ConfigurationError
from inference.training.augmentation import Augmentation
from inference.training.loop import LoopPlan

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")
_SECTIONS: dict[str, type] = {"loop": LoopPlan, "augmentation": Augmentation}


def read_plan_file(path: Path) -> dict[str, Any]:
    """The mapping that a plan file holds.

    Raises
    ------
    ConfigurationError
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as exc:
        raise ConfigurationError(f"{path.name} is no plan that can be read as YAML") from exc
    if not isinstance(raw, dict):
        raise ConfigurationError(f"{path.name}: keys and values are expected")
    return raw


def plan_record(plan: Any) -> dict[str, Any]:
    """A plan as records hold it: of weights to start from only the file's name, as packages are passed on."""
    record = asdict(plan)
    if record.get("pretrained"):
        record["pretrained"] = record["pretrained"].name
    return record


def make_plan(kind: type[T], raw: Mapping[str, Any]) -> T:
    """A plan of a kind (a dataclass) from plain values.

    Raises
    ------
    ConfigurationError
        If a key is unknown, missing or of the wrong type; the message names it.
    """
    assert is_dataclass(kind)  # noqa: S101  plans are
    known = {field.name: field for field in fields(kind)}
    if unknown := sorted(set(raw) - set(known)):
        raise ConfigurationError(
            f"training plan: {unknown[0]} is unknown; known are {', '.join(sorted(known))}"
        )
    given: dict[str, Any] = {}
    for name, value in raw.items():
        if name in _SECTIONS:
            if not isinstance(value, dict):
                raise ConfigurationError(f"training plan: {name} holds keys and values")
            given[name] = make_plan(_SECTIONS[name], value)
            continue
        default = known[name].default
        given[name] = tuple(value) if isinstance(value, list) else value
        if "Path" in str(known[name].type) and isinstance(value, str):
            given[name] = Path(value)
        if default is MISSING or default is None:
            continue
        if not _fits(given[name], default):
            raise ConfigurationError(f"training plan: {name} is a {type(default).__name__}")
    try:
        return kind(**given)
    except TypeError as exc:
        raise ConfigurationError(f"training plan: {str(exc).partition(') ')[2] or exc}") from exc


def _fits(value: Any, default: Any) -> bool:
    if isinstance(default, float):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is type(default)
