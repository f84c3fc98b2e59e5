"""Metadata of instances, spliced from the text that the index holds wherever that is all there is to say.

The index leaves out what is large (`dicomweb.attributes`). Where only bulk data was left out, its text is
the metadata, once its relative BulkDataURIs are absolute; nothing is parsed. Else the file is read.

References
----------
PS3.18 §10.4.1.1.2 (metadata resources), §10.4.3.3.2 (payload), §F.2.6 (BulkDataURI).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from dicomweb.attributes import OMITTED_ROOT
from dicomweb.dicom_json import AVAILABLE_TRANSFER_SYNTAX, JsonRules, available, dumps
from dicomweb.instance_model import instance_model
from dicomweb.value_json import BINARY_VRS

if TYPE_CHECKING:
    from collections.abc import Callable

    from dicom_node.domain.catalog_record import CatalogRecord
    from dicomweb.instance_cache import ParsedInstance

#: No string of compact JSON can hold these: quotation marks within strings are escaped.
_OMISSION: Final = '","BulkDataURI":"'
_RELATIVE: Final = f'"BulkDataURI":"{OMITTED_ROOT}'
_AVAILABLE: Final = f'"{AVAILABLE_TRANSFER_SYNTAX}":'.encode()


def metadata_json(record: CatalogRecord, url: str, read: Callable[[], ParsedInstance]) -> bytes:
    """The metadata of one instance as JSON text.

    Parameters
    ----------
    url
        Of the instance.
    read
        Opens it where the index does not hold all.

    Raises
    ------
    NotFound, StorageFailure, InvalidInstance
    """
    text = record.attributes_json
    if is_complete(text):
        whole = text.replace(_RELATIVE, f'"BulkDataURI":{json.dumps(url)[:-1]}/{OMITTED_ROOT}').encode()
        # Of an index that an older release wrote, the attribute is added here.
        return whole if _AVAILABLE in whole else dumps(_with_syntax(json.loads(whole), record))
    return dumps(_from_file(url, read))


def metadata_model(record: CatalogRecord, url: str, read: Callable[[], ParsedInstance]) -> dict[str, Any]:
    """The same as an object.

    Raises
    ------
    NotFound, StorageFailure, InvalidInstance
    """
    model: dict[str, Any] = json.loads(metadata_json(record, url, read))
    return model


def is_complete(text: str) -> bool:
    """Whether the stored text lacks nothing but bulk data."""
    at = text.find(_OMISSION)
    while at >= 0:
        if text[at - 2 : at] not in BINARY_VRS:
            return False
        at = text.find(_OMISSION, at + len(_OMISSION))
    return True


def _from_file(url: str, read: Callable[[], ParsedInstance]) -> dict[str, Any]:
    return instance_model(read(), JsonRules(bulk_root=f"{url}/{OMITTED_ROOT}"))


def _with_syntax(model: dict[str, Any], record: CatalogRecord) -> dict[str, Any]:
    return dict(sorted((model | {AVAILABLE_TRANSFER_SYNTAX: available(record.transfer_syntax_uid)}).items()))
