"""The DICOM JSON of a whole instance: its data set, and where its pixel data can be had.

References
----------
PS3.18 §F.2.6 (BulkDataURI), §10.4.3.3.2 (metadata payload).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dicomweb.dicom_json import AVAILABLE_TRANSFER_SYNTAX, available, encode_dataset

if TYPE_CHECKING:
    from dicomweb.dicom_json import JsonRules
    from dicomweb.instance_cache import ParsedInstance


def instance_model(instance: ParsedInstance, rules: JsonRules) -> dict[str, Any]:
    """All attributes in ascending order, pixel data by URI, and Available Transfer Syntax UID."""
    model = encode_dataset(instance.dataset, rules)
    if instance.pixels is not None:
        key = instance.pixel_key
        model[key] = {"vr": instance.pixel_vr, "BulkDataURI": f"{rules.bulk_root}{key}"}
    model[AVAILABLE_TRANSFER_SYNTAX] = available(instance.transfer_syntax_uid)
    return dict(sorted(model.items()))
