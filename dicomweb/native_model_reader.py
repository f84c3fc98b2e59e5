"""Native DICOM Model in XML to DICOM JSON: the way back from `dicomweb.native_model`.

Document type declarations are refused, so no entity is ever defined, expanded or fetched.

References
----------
PS3.19 §A.1 (Native DICOM Model), PS3.18 §8.7.3.2 (`application/dicom+xml`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from dicom_node.domain.errors import InvalidInstance
from dicomweb.native_model import NAME_GROUPS, NAME_PARTS

if TYPE_CHECKING:
    from collections.abc import Iterator

_KEY: Final = re.compile(r"[0-9A-Fa-f]{8}")
#: Elements within elements; real documents have fewer than 60.
_MAX_DEPTH: Final = 400
_INTEGERS: Final = frozenset({"SL", "SS", "SV", "UL", "US", "UV"})
_FLOATS: Final = frozenset({"FD", "FL"})
_NOT_FINITE: Final = {"NaN": "NaN", "INF": "Infinity", "+INF": "Infinity", "-INF": "-Infinity"}
_FIRST_BLOCK: Final = 0x10


def from_xml(document: bytes) -> dict[str, Any]:
    """The DICOM JSON object of a document; a single data set.

    Private attributes get the block that their creator has, or a free one, as PS3.5 §7.8.1 says.

    Raises
    ------
    InvalidInstance
        If it is no well-formed Native DICOM Model; the message names the attribute, never its value.
    """
    root = _parse(document)
    if _name(root) != "NativeDicomModel":
        raise InvalidInstance("the root of the document must be NativeDicomModel (PS3.19 §A.1)")
    return _data_set(root, "")


def _parse(document: bytes) -> Element:
    builder = TreeBuilder()
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    depth = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _MAX_DEPTH:
            raise InvalidInstance("the document is nested too deeply")
        builder.start(name.rpartition("}")[2], attributes)

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(name.rpartition("}")[2])

    def refuse(*_declaration: object) -> None:
        raise InvalidInstance("the document must have no document type declaration")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(document, True)
        return builder.close()
    except (expat.ExpatError, ValueError, LookupError) as exc:
        raise InvalidInstance("the document is no well-formed XML") from exc


def _data_set(parent: Element, path: str) -> dict[str, Any]:
    attributes = list(_children(parent, "DicomAttribute"))
    model: dict[str, Any] = {}
    blocks = _blocks(attributes)
    for element in attributes:
        key = _key(element, path, blocks, model)
        if key in model:
            raise InvalidInstance(f"{path}{key}: the attribute stands there twice")
        model[key] = _attribute(element, f"{path}{key}")
    return dict(sorted(model.items()))


def _blocks(attributes: list[Element]) -> dict[tuple[str, str], int]:
    """The block of each (group, creator) that has a Private Creator element in the document."""
    blocks: dict[tuple[str, str], int] = {}
    for element in attributes:
        key = element.get("tag", "").upper()
        if _KEY.fullmatch(key) and int(key[:4], 16) % 2 and _is_creator(element, key):
            value = next(_children(element, "Value"), None)
            creator = (value.text or "").strip() if value is not None else ""
            blocks.setdefault((key[:4], creator), int(key[4:], 16))
    return blocks


def _is_creator(element: Element, key: str) -> bool:
    return "privateCreator" not in element.attrib and _FIRST_BLOCK <= int(key[4:], 16) <= 0xFF


def _key(element: Element, path: str, blocks: dict[tuple[str, str], int], model: dict[str, Any]) -> str:
    """The tag of an attribute; the element of a creator that is new is added to the model."""
    key = element.get("tag", "").upper()
    if not _KEY.fullmatch(key):
        raise InvalidInstance(f"{path or 'the data set'}: tags are 8 hexadecimal digits")
    creator = element.get("privateCreator", "").strip()
    if not creator or int(key[:4], 16) % 2 == 0 or int(key[4:6], 16):
        return key
    group = key[:4]
    block = blocks.get((group, creator))
    if block is None:
        taken = {number for (other, _), number in blocks.items() if other == group}
        block = next((number for number in range(_FIRST_BLOCK, 0x100) if number not in taken), None)
        if block is None:
            raise InvalidInstance(f"{path}{key}: the group has no block left for its private creator")
        blocks[group, creator] = block
        model[f"{group}{block:04X}"] = {"vr": "LO", "Value": [creator]}
    return f"{group}{block:02X}{key[6:]}"


def _attribute(element: Element, path: str) -> dict[str, Any]:
    vr = element.get("vr", "")
    attribute: dict[str, Any] = {"vr": vr}
    bulk = next(_children(element, "BulkData"), None)
    inline = next(_children(element, "InlineBinary"), None)
    if bulk is not None:
        uri = bulk.get("uri")
        if not uri:
            raise InvalidInstance(f"{path}: BulkData must have a uri here")
        attribute["BulkDataURI"] = uri
    elif inline is not None:
        attribute["InlineBinary"] = "".join((inline.text or "").split())
    elif vr == "SQ":
        attribute["Value"] = _numbered(element, "Item", path, lambda item, at: _data_set(item, f"{at}/"))
    elif vr == "PN":
        attribute["Value"] = _numbered(element, "PersonName", path, lambda name, _: _person_name(name))
    else:
        attribute["Value"] = _numbered(element, "Value", path, lambda value, at: _value(vr, value, at))
    if not attribute.get("Value", True):
        del attribute["Value"]
    return attribute


def _numbered(element: Element, name: str, path: str, read: Any) -> list[Any]:
    """The values by their numbers, which count from 1; those that are left out are `None`."""
    children = list(_children(element, name))
    found: dict[int, Any] = {}
    for position, child in enumerate(children, 1):
        text = child.get("number", str(position))
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
        if not 1 <= number <= 2**20 or number in found:
            raise InvalidInstance(f"{path}: values are numbered from 1, each number once")
        found[number] = read(child, f"{path}/{number - 1}")
    last = max(found, default=0)
    if last > len(found) + 2**16:
        raise InvalidInstance(f"{path}: too many numbers are left out")
    empty: dict[str, Any] | None = {} if name == "Item" else None
    return [found.get(number, empty) for number in range(1, last + 1)]


def _value(vr: str, element: Element, path: str) -> Any:
    text = element.text or ""
    if vr not in _INTEGERS and vr not in _FLOATS:
        return text or None
    word = text.strip()
    try:
        if vr in _INTEGERS:
            return int(word)
        return _NOT_FINITE.get(word) or float(word)
    except ValueError as exc:
        raise InvalidInstance(f"{path}: {vr} needs a number") from exc


def _person_name(element: Element) -> dict[str, str] | None:
    name: dict[str, str] = {}
    for group in NAME_GROUPS:
        for child in _children(element, group):
            parts = [_text_of(child, part) for part in NAME_PARTS]
            name[group] = "^".join(parts).rstrip("^")
    return {group: text for group, text in name.items() if text} or None


def _text_of(element: Element, name: str) -> str:
    child = next(_children(element, name), None)
    return (child.text or "") if child is not None else ""


def _children(element: Element, name: str) -> Iterator[Element]:
    return (child for child in element if _name(child) == name)


def _name(element: Element) -> str:
    return str(element.tag)
