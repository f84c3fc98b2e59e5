"""C-FIND as a client, Study Root.

References
----------
PS3.4 §C.4.1 (C-FIND), §C.6.2 (Study Root), Table C.4-1 (statuses).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydicom import config
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import build_context
from pynetdicom.dsutils import encode
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind

from dicom_node.dimse.identifier import MalformedIdentifier, read_identifier
from dicom_node.dimse.query_words import refusal
from dicom_node.domain.errors import ArchiveFailed, ArchiveRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from pynetdicom.presentation import PresentationContext

    from dicom_node.dimse.identifier import Identifier
    from dicom_node.dimse.request_line import RequestLine

_C_FIND_RQ: Final = 0x0020
_SUCCESS: Final = 0x0000
#: Bounds what an archive can make us read.
_MAX_MATCHES: Final = 1_000_000


def find_context() -> PresentationContext:
    """Study Root C-FIND."""
    return build_context(
        StudyRootQueryRetrieveInformationModelFind, [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
    )


def find(
    line: RequestLine, name: str, level: str, keys: Mapping[str, str], tick: Callable[[], object]
) -> Iterator[Identifier]:
    """All matches at a level, as they come.

    Parameters
    ----------
    level
        STUDY, SERIES or IMAGE.
    keys
        By keyword; empty ones are asked for and match everything.

    Raises
    ------
    ArchiveFailed, ArchiveRefused
    """
    context = line.context(StudyRootQueryRetrieveInformationModelFind)
    if context is None:
        raise ArchiveRefused(f"{name}: does not offer C-FIND (Study Root); check what it lets the node do")
    encoding = encoding_of(context)
    asked = encoded_keys({"QueryRetrieveLevel": level, **keys}, encoding)
    count = 0
    for response in line.ask(_C_FIND_RQ, context, asked, tick=tick):
        if response.is_final:
            if response.status != _SUCCESS:
                raise refusal(name, "C-FIND", response.status)
            return
        if response.identifier is None:
            continue
        count += 1
        if count > _MAX_MATCHES:
            raise ArchiveRefused(f"{name}: gives more than {_MAX_MATCHES} matches; ask for less")
        try:
            yield read_identifier(response.identifier, encoding)
        except MalformedIdentifier as exc:
            raise ArchiveFailed(f"{name}: answers a query with something malformed ({exc})") from exc


def encoding_of(context: Any) -> tuple[bool, bool, bool]:
    """(implicit VR, little endian, deflated) of an accepted context."""
    syntax = UID(str(context.transfer_syntax[0]))
    return syntax.is_implicit_VR, syntax.is_little_endian, syntax.is_deflated


def encoded_keys(keys: Mapping[str, str], encoding: tuple[bool, bool, bool]) -> bytes:
    """An identifier of keys by keyword, with the character repertoire that they need."""
    ds = Dataset()
    together = "".join(keys.values())
    if not together.isascii():
        _add(ds, "SpecificCharacterSet", "ISO_IR 192")
    for keyword, text in keys.items():
        _add(ds, keyword, text)
    encoded = encode(ds, *encoding)
    if encoded is None:
        raise ArchiveRefused("what is asked for cannot be written as DICOM; check its characters")
    return bytes(encoded)


def _add(ds: Dataset, keyword: str, text: str) -> None:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise ArchiveRefused(f"{keyword} is no attribute of DICOM")
    value = text.split("\\") if "\\" in text else text or None
    ds.add(DataElement(tag, dictionary_VR(tag), value, validation_mode=config.IGNORE))
