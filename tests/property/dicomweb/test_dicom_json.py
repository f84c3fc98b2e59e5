from __future__ import annotations

import json

import pydicom
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag
from pydicom.valuerep import VR

from dicomweb.dicom_json import JsonRules, dumps, encode_dataset
from dicomweb.native_model import to_xml

VRS = st.sampled_from(sorted({vr.value for vr in VR if " " not in vr.value}))
CHARACTER_SETS = st.sampled_from(
    [None, b"ISO_IR 100", b"\\ISO 2022 IR 87", b"GB18030", b"ISO_IR 192", b"nonsense", b"ISO_IR 13"]
)


@given(VRS, st.binary(max_size=64), st.booleans(), CHARACTER_SETS)
def test_any_bytes_of_any_vr_become_valid_json_and_xml(
    vr: str, value: bytes, little: bool, charset: bytes | None
) -> None:
    ds = pydicom.Dataset()
    if charset is not None:
        ds[0x00080005] = RawDataElement(Tag(0x00080005), "CS", len(charset), charset, 0, False, little)
    ds[0x00091001] = RawDataElement(Tag(0x00091001), vr, len(value), value, 0, False, little)
    model = encode_dataset(ds, JsonRules(bulk_root="b/"))
    again = json.loads(dumps(model), parse_constant=lambda _: 1 / 0)
    assert set(again) >= {"00091001"}
    assert again["00091001"]["vr"] == vr
    assert len({"Value", "InlineBinary", "BulkDataURI"} & set(again["00091001"])) <= 1
    assert to_xml(model)
