"""A structured report as plain text or HTML: its content tree, one line an item.

References
----------
PS3.18 §8.7.4.1 (rendered media types of text), PS3.3 §C.17.3 (SR document content).
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydicom.dataset import Dataset

_MAX_DEPTH = 32


@dataclass(frozen=True, slots=True)
class Line:
    """One content item: how deep it stands (0 is the title), its concept and its value."""

    depth: int
    name: str
    value: str


def is_report(ds: Dataset) -> bool:
    """Whether the data set is an SR document."""
    return "ContentSequence" in ds and "ValueType" in ds


def report_lines(ds: Dataset, depth: int = 0) -> Iterator[Line]:
    """The items of the tree in document order."""
    yield Line(depth, _meaning(ds, "ConceptNameCodeSequence"), _value(ds))
    if depth < _MAX_DEPTH:
        for item in ds.get("ContentSequence") or ():
            yield from report_lines(item, depth + 1)


def to_text(ds: Dataset) -> str:
    """The report as indented plain text."""
    return "".join(f"{'  ' * line.depth}{_joined(line)}\n" for line in report_lines(ds))


def to_html(ds: Dataset) -> str:
    """The report as an HTML page without scripts or outside references."""
    lines = list(report_lines(ds))
    title = html.escape(lines[0].name or "Report")
    body = "\n".join(
        f'<p style="margin:0 0 0 {line.depth * 1.5}em">{html.escape(_joined(line))}</p>' for line in lines[1:]
    )
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>'
        f"<body><h1>{title}</h1>\n{body}\n</body></html>\n"
    )


def _joined(line: Line) -> str:
    return f"{line.name}: {line.value}" if line.name and line.value else line.name or line.value


def _value(ds: Dataset) -> str:
    kind = str(ds.get("ValueType", ""))
    if kind == "NUM":
        measured = (ds.get("MeasuredValueSequence") or [None])[0]
        if measured is None:
            return "no value"
        return f"{measured.get('NumericValue', '')} {_code(measured, 'MeasurementUnitsCodeSequence')}".strip()
    if kind == "CODE":
        return _meaning(ds, "ConceptCodeSequence")
    keyword = {
        "TEXT": "TextValue",
        "DATE": "Date",
        "TIME": "Time",
        "DATETIME": "DateTime",
        "PNAME": "PersonName",
        "UIDREF": "UID",
    }.get(kind)
    if keyword is not None:
        return str(ds.get(keyword, "") or "")
    if kind in {"SCOORD", "SCOORD3D"}:
        return f"{ds.get('GraphicType', '')} region"
    return {"IMAGE": "image", "COMPOSITE": "object", "WAVEFORM": "waveform"}.get(kind, "")


def _meaning(ds: Dataset, keyword: str) -> str:
    code = (ds.get(keyword) or [None])[0]
    return "" if code is None else str(code.get("CodeMeaning", "") or "")


def _code(ds: Dataset, keyword: str) -> str:
    code = (ds.get(keyword) or [None])[0]
    return "" if code is None else str(code.get("CodeValue", "") or "")
