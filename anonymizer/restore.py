"""Puts the original identity back into objects that were made from de-identified instances.

Fails closed: an object that belongs to another patient, or that holds a UID of unknown origin, is refused.

References
----------
PS3.15 §E.1.2 (re-identification); PS3.3 §C.7.1 (Patient), §C.7.2 (Study).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

from anonymizer.codec import Codec, Dataset, Element, Encapsulated
from anonymizer.engine import ISSUER_OF_PATIENT_ID, PATIENT_ID, STUDY_INSTANCE_UID
from anonymizer.errors import RestoreError, Unreadable
from anonymizer.markers import MARKERS
from anonymizer.outcome import keyword
from anonymizer.part10 import Part10, standard_dictionary, text_value
from anonymizer.pixels.extent import PIXELS
from anonymizer.table import load_table
from anonymizer.text.encoding import CHARACTER_SET, ENCODED_VRS, decode, encodings, from_json
from anonymizer.uids import ROOT, PatientMapper, is_registered

if TYPE_CHECKING:
    from collections.abc import Mapping, Set

UTF8: Final = b"ISO_IR 192"


class Restorer:
    """Re-identifies objects; thread-safe.

    Parameters
    ----------
    key
        The key that the instances were de-identified with: it proves whose pseudonym an object carries.

    Raises
    ------
    ValueError
        If the key is too short.
    """

    def __init__(self, key: bytes) -> None:
        self._patients = PatientMapper(key)
        self._part10 = Part10(standard_dictionary(load_table()))

    def restore(
        self, part10: bytes, attributes: Mapping[str, Any], uids: Mapping[str, str], own_uids: Set[str]
    ) -> bytes:
        """A re-identified copy of a Part 10 file, in the same transfer syntax.

        Patient and study attributes are set at the top level, those that the original lacked are removed;
        UIDs are replaced in every element of VR UI at any nesting. What says that the object was
        de-identified goes. Where a name needs it, all text changes to UTF-8.

        Parameters
        ----------
        attributes, uids
            `original_attributes` and `uids` of the instances that the object was made from, merged.
        own_uids
            UIDs that were made for the object itself and stay.

        Raises
        ------
        RestoreError
            If the bytes cannot be read, the patient or study is another one, or a UID is neither known,
            nor own, nor registered by the standard. The message names an attribute, never a value.
        """
        try:
            file = self._part10.read(part10)
        except Unreadable as exc:
            raise RestoreError(f"the object cannot be read: {exc.rule}; make it again") from exc
        codec = self._part10.codec(file.transfer_syntax_uid)
        self._check_patient(file.dataset, attributes, uids, codec)
        result = _replace_uids(file.dataset, uids, own_uids)
        for tag in MARKERS:
            result.pop(tag, None)
        if not _is_ascii(dict(attributes)) and text_value(result, CHARACTER_SET) != UTF8.decode():
            result = _to_utf8(result, ("iso8859",))
            result[CHARACTER_SET] = Element("CS", UTF8)
        for tag_text, value in attributes.items():
            tag = int(tag_text, 16)
            if value is None:
                result.pop(tag, None)
            else:
                result[tag] = _element(value, codec)
        return self._part10.write(result, file.transfer_syntax_uid)

    def _check_patient(
        self, dataset: Dataset, attributes: Mapping[str, Any], uids: Mapping[str, str], codec: Codec
    ) -> None:
        study = uids.get(text_value(dataset, STUDY_INSTANCE_UID))
        if study is None:
            raise RestoreError("the object's study is not the one of this identity (StudyInstanceUID)")
        if f"{PATIENT_ID:08X}" not in attributes:
            raise RestoreError("the identity is incomplete: it does not say whether there was a PatientID")
        pseudonym = self._patients.pseudonym(
            _original_text(attributes, PATIENT_ID, codec),
            _original_text(attributes, ISSUER_OF_PATIENT_ID, codec),
            study,
        )
        if text_value(dataset, PATIENT_ID) != pseudonym:
            raise RestoreError("the object's patient is not the one of this identity (PatientID)")


def _original_text(attributes: Mapping[str, Any], tag: int, codec: Codec) -> str:
    value = attributes.get(f"{tag:08X}")
    if value is None:
        return ""
    return bytes(_plain(_element(value, codec))).decode("utf-8")


def _plain(element: Element) -> bytes | memoryview:
    if isinstance(element.value, list | Encapsulated):
        raise RestoreError("the identity is malformed: a text attribute is no text")
    return element.value


def _element(value: dict[str, Any], codec: Codec) -> Element:
    try:
        return from_json(value, codec)
    except (ValueError, KeyError, TypeError, AttributeError, struct.error):
        raise RestoreError("the identity is malformed: it is no DICOM JSON") from None


def _is_ascii(value: object) -> bool:
    """Whether all strings at any depth are ASCII."""
    if isinstance(value, str):
        return value.isascii()
    if isinstance(value, dict):
        return all(map(_is_ascii, value.values()))
    return not isinstance(value, list) or all(map(_is_ascii, value))


def _replace_uids(dataset: Dataset, uids: Mapping[str, str], own_uids: Set[str]) -> Dataset:
    result: Dataset = {}
    for tag, element in dataset.items():
        value = element.value
        if isinstance(value, list):
            result[tag] = Element("SQ", [_replace_uids(item, uids, own_uids) for item in value])
        elif element.vr == "UI" and isinstance(value, bytes):
            result[tag] = Element("UI", _original_uids(tag, value, uids, own_uids))
        else:
            if element.vr == "UN" and tag not in PIXELS and ROOT.encode() in bytes(_plain(element)):
                raise RestoreError(f"a UID stands in an element of unknown meaning ({tag:08X})")
            result[tag] = element
    return result


def _original_uids(tag: int, value: bytes, uids: Mapping[str, str], own_uids: Set[str]) -> bytes:
    originals = []
    for part in value.decode("latin-1").split("\\"):
        uid = part.strip(" \0")
        original = uids.get(uid)
        if original is None:
            if uid and uid not in own_uids and not is_registered(uid, tag):
                raise RestoreError(
                    f"a UID is neither the study's, nor own, nor the standard's ({keyword(tag)})"
                )
            original = uid
        originals.append(original)
    return "\\".join(originals).encode("latin-1")


def _to_utf8(dataset: Dataset, inherited: tuple[str, ...]) -> Dataset:
    """A copy whose text is UTF-8, without Specific Character Set in items."""
    codecs = encodings(dataset, inherited)
    result: Dataset = {}
    for tag, element in dataset.items():
        value = element.value
        if tag == CHARACTER_SET:
            continue
        if isinstance(value, list):
            result[tag] = Element("SQ", [_to_utf8(item, codecs) for item in value])
        elif element.vr in ENCODED_VRS and isinstance(value, bytes) and not value.isascii():
            result[tag] = Element(element.vr, decode(value, element.vr, codecs).encode())
        else:
            result[tag] = element
    return result
