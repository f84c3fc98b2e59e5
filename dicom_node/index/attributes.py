"""DICOM JSON attributes: their values as columns of the catalogue hold them.

References
----------
PS3.18 Annex F (DICOM JSON model).
"""

from __future__ import annotations

from typing import Any, Final

from dicom_node.index.date_times import normal_date, normal_time

Attributes = dict[str, Any]

MODALITY: Final = "00080060"
INSTANCE_NUMBER: Final = "00200013"


def values_of(attributes: Attributes, tag: str) -> list[Any]:
    """The values of an attribute; empty where it is absent or has none."""
    values = attributes.get(tag, {}).get("Value")
    return values if isinstance(values, list) else []


def text_of(attributes: Attributes, tag: str) -> str:
    """All values as one text, line feeds between them, without what a database refuses."""
    return clean("\n".join(str(value).strip() for value in values_of(attributes, tag) if value is not None))


def enclosed(values: list[str]) -> str:
    """Values between line feeds, one at either end too; "" where there are none."""
    return "\n".join(["", *values, ""]) if values else ""


def first_date(attributes: Attributes, tag: str) -> str:
    """The normal form of the first value."""
    return next((normal_date(value) for value in values_of(attributes, tag)), "")


def first_time(attributes: Attributes, tag: str) -> str:
    """The normal form of the first value."""
    return next((normal_time(value) for value in values_of(attributes, tag)), "")


def first_integer(attributes: Attributes, tag: str) -> int | None:
    """The first value as a 32-bit integer, or `None`."""
    for value in values_of(attributes, tag):
        try:
            number = int(value)
        except (TypeError, ValueError, OverflowError):
            return None
        return number if -(2**31) <= number < 2**31 else None
    return None


def clean(text: str) -> str:
    """The text without null characters and lone surrogates."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
