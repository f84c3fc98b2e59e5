"""Matches of the catalogue as C-FIND response identifiers.

References
----------
PS3.4 §C.4.1.1.3.2 (response identifier); PS3.18 Annex F (DICOM JSON); PS3.5 §6.1.
"""

from __future__ import annotations

import base64
import math
from typing import TYPE_CHECKING, Any, Final

from pydicom import config
from pydicom.charset import python_encoding
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as ItemSequence
from pydicom.valuerep import format_number_as_ds
from pynetdicom.dsutils import encode

from dicom_node.dimse.query_keys import CHARACTER_SET, PATIENT_COUNTS, QUERY_LEVEL, RETRIEVE_AE_TITLE
from dicom_node.domain.attribute_levels import INSTANCE_AVAILABILITY
from dicom_node.domain.errors import InternalError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dicom_node.dimse.identifier import Key
    from dicom_node.dimse.query_keys import Find

_UTF8: Final = "ISO_IR 192"
_BINARY: Final = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_TEXT: Final = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_INTEGERS: Final = frozenset({"IS", "SL", "SS", "SV", "UL", "US", "UV"})


class Answer:
    """The identifier of one match.

    Parameters
    ----------
    row
        DICOM JSON of the match.
    ae_title
        Whom to retrieve it from.
    """

    def __init__(self, row: Mapping[str, Any], find: Find, ae_title: str) -> None:
        self._texts: list[str] = []
        #: Whether a key of the request could not be answered for this match.
        self.incomplete = find.unsupported
        ds = Dataset()
        self._add(ds, QUERY_LEVEL, "CS", find.level.value)
        self._add(ds, RETRIEVE_AE_TITLE, "AE", ae_title)
        self._add(ds, INSTANCE_AVAILABILITY, "CS", "ONLINE")
        self._fill(ds, find.wanted, row)
        self._dataset = ds
        self._character_set = self._choose(find.character_set)

    def encoded(self, encoding: tuple[bool, bool, bool]) -> bytes:
        """The data set in the transfer syntax of the context.

        Raises
        ------
        InternalError
            If a value of the match cannot be written.
        """
        if self._character_set is not None:
            self._add(self._dataset, CHARACTER_SET, "CS", self._character_set)
        written = encode(self._dataset, *encoding)
        if written is None:
            raise InternalError("a match cannot be written; report which keys were asked for")
        return bytes(written)

    def _fill(self, ds: Dataset, wanted: Iterable[Key], row: Mapping[str, Any]) -> None:
        for key in wanted:
            attribute = row.get(key.tag)
            if attribute is None or not ("Value" in attribute or "InlineBinary" in attribute):
                if attribute is not None and "BulkDataURI" in attribute:
                    self.incomplete = True  # the catalogue left it out as too long
                elif key.vr == "SQ":
                    self._add(ds, key.tag, "SQ", ItemSequence())
                elif key.tag not in PATIENT_COUNTS:
                    self._add(ds, key.tag, str((attribute or {}).get("vr", key.vr)), None)
            elif key.item:
                self._add(ds, key.tag, "SQ", self._items(key.item, attribute))
            else:
                try:
                    self._add_attribute(ds, key.tag, attribute)
                except (ValueError, TypeError, OverflowError):  # the instance says what its VR cannot hold
                    self.incomplete = True

    def _items(self, wanted: tuple[Key, ...], attribute: Mapping[str, Any]) -> ItemSequence:
        items = []
        for found in attribute.get("Value") or ():
            item = Dataset()
            self._fill(item, wanted, found if isinstance(found, dict) else {})
            items.append(item)
        return ItemSequence(items)

    def _add_attribute(self, ds: Dataset, tag: str, attribute: Mapping[str, Any]) -> None:
        vr = str(attribute.get("vr", "UN"))
        values = attribute.get("Value") or []
        if vr == "SQ":
            items = []
            for found in values:
                item = Dataset()
                for inner, value in found.items() if isinstance(found, dict) else ():
                    self._add_attribute(item, inner, value)
                items.append(item)
            self._add(ds, tag, vr, ItemSequence(items))
        elif vr in _BINARY:
            self._add(ds, tag, vr, base64.b64decode(attribute.get("InlineBinary", "")))
        else:
            written = [_written(vr, value) for value in values]
            self._add(ds, tag, vr, written[0] if len(written) == 1 else written or None)

    def _add(self, ds: Dataset, tag: str, vr: str, value: Any) -> None:
        if vr in _TEXT:
            self._texts += value if isinstance(value, list) else [value or ""]
        ds.add(DataElement(int(tag, 16), vr, value, validation_mode=config.IGNORE))

    def _choose(self, requested: tuple[str, ...]) -> str | None:
        """The character repertoire that holds all texts: the request's where it does, else UTF-8."""
        together = "".join(self._texts)
        if together.isascii():
            return None
        if len(requested) == 1 and not requested[0].startswith("ISO 2022"):
            try:
                together.encode(python_encoding.get(requested[0], "ascii"))
            except (UnicodeEncodeError, LookupError):
                return _UTF8
            return requested[0]
        return _UTF8


def _written(vr: str, value: Any) -> Any:
    if value is None:
        return ""
    if vr == "PN":
        groups = [value.get(group, "") for group in ("Alphabetic", "Ideographic", "Phonetic")]
        return "=".join(groups).rstrip("=")
    if vr == "AT":
        return int(str(value), 16)
    if vr == "DS" and isinstance(value, float):
        return format_number_as_ds(value) if math.isfinite(value) else ""
    if vr in _INTEGERS or vr in ("FL", "FD", "DS"):
        return value
    return str(value)
