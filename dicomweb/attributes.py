"""The searchable attributes of an instance, for the index."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

from pydicom.uid import ImplicitVRLittleEndian

from dicomweb.dicom_json import AVAILABLE_TRANSFER_SYNTAX, JsonRules, available, encode_dataset
from dicomweb.part10 import read_dataset

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset

#: Before the path of an attribute that was left out; `is_omission` knows it again.
OMITTED_ROOT = "bulkdata/"

_RULES = JsonRules(bulk_root=OMITTED_ROOT, binary_limit=1024, text_limit=1024, sequence_limit=8192)


class DicomJsonReader:
    """`AttributeReader` of DICOM JSON.

    What is too large for the index (pixel data, values over 1 KiB, sequences of more than 8192
    characters of JSON) is present without its value: a BulkDataURI relative to the instance's URL stands
    there. So the metadata of a small instance can be answered without its file, and for a larger one it
    is known that the file must be read.
    """

    def read(self, part10: bytes) -> tuple[str, dict[str, Any]]:
        """Transfer syntax UID and attributes.

        Raises
        ------
        InvalidInstance
            If the bytes are no DICOM file.
        """
        ds = read_dataset(BytesIO(part10))
        syntax = transfer_syntax_of(ds)
        model = encode_dataset(ds, _RULES) | {AVAILABLE_TRANSFER_SYNTAX: available(syntax)}
        return syntax, dict(sorted(model.items()))


def transfer_syntax_of(ds: FileDataset) -> str:
    """The transfer syntax that File Meta names; Implicit VR Little Endian where it names none."""
    return str(ds.file_meta.get("TransferSyntaxUID", ImplicitVRLittleEndian))
