"""The searchable attributes of an instance, for the index."""

from __future__ import annotations

from typing import Any

from dicomweb.dicom_json import JsonRules
from dicomweb.instance_cache import ParsedInstance
from dicomweb.instance_model import instance_model

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
        instance = ParsedInstance(part10)
        return instance.transfer_syntax_uid, instance_model(instance, _RULES)
