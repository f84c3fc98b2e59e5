import io

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from inference.encode.part10 import StaticPart10, sequence_element, short_element, tag_of, to_part10

_UIDS = st.integers(0, 2**128 - 1).map("2.25.{}".format)


def template():
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID, ds.SOPInstanceUID = SecondaryCaptureImageStorage, "2.25.1"
    ds.PatientName, ds.InstanceNumber = "Ивана^И", 1
    ds.Rows, ds.Columns = 1, 3
    return ds


@given(_UIDS, st.integers(1, 10**6), st.binary(min_size=3, max_size=8))
def test_instance_written_from_a_template_equals_what_pydicom_writes(uid, number, pixels):
    written = StaticPart10(template()).write(
        uid,
        {
            "InstanceNumber": short_element("InstanceNumber", "IS", str(number)),
            "ImagePositionPatient": short_element("ImagePositionPatient", "DS", "-1.5", "20", "3e-05"),
            "SourceImageSequence": sequence_element(
                "SourceImageSequence", short_element("ReferencedSOPInstanceUID", "UI", uid)
            ),
        },
        memoryview(pixels),
    )
    ds = template()
    ds.SOPInstanceUID, ds.InstanceNumber = uid, number
    ds.ImagePositionPatient = ["-1.5", "20", "3e-05"]
    item = Dataset()
    item.ReferencedSOPInstanceUID = uid
    ds.SourceImageSequence = [item]
    ds.PixelData = pixels + b"\0" * (len(pixels) % 2)
    ds["PixelData"].VR = "OB"
    assert written == to_part10(ds)
    assert pydicom.dcmread(io.BytesIO(written)) == ds


def test_unknown_keyword_is_an_error():
    with pytest.raises(KeyError):
        tag_of("NoSuchAttribute")
