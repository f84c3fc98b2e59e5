"""What a series holds besides the wanted stack is left out, or the series is refused."""

import copy

import numpy as np
import pytest
from model_series import mr_slices, study_of
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import generate_uid

from inference.preprocess.series import read_volume
from inference.preprocess.volume import VolumeRefused

PHANTOM = np.arange(7 * 6 * 5, dtype=np.uint16).reshape(7, 6, 5)


def read(datasets, **wishes):
    study = study_of(datasets)
    return read_volume([e.sop_instance_uid for e in study.instances], study.read, max_voxels=10**6, **wishes)


def refusal(datasets, **wishes):
    with pytest.raises(VolumeRefused) as caught:
        read(datasets, **wishes)
    return caught.value.rule


def series(one, *attributes):
    """The slices once for each set of attributes, later ones brighter."""
    made = []
    for number, extra in enumerate(attributes):
        for ds in mr_slices(one + np.uint16(1000 * number), **extra):
            ds.FrameOfReferenceUID = "1.2.3"
            made.append(ds)
    return made


def test_identical_copies_are_dropped():
    slices = mr_slices(PHANTOM)
    copies = [copy.deepcopy(ds) for ds in slices[2:5]]
    for ds in copies:
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    volume = read(slices + copies)
    np.testing.assert_array_equal(volume.voxels, PHANTOM)
    assert volume.sop_instance_uids == tuple(ds.SOPInstanceUID for ds in slices)
    assert volume.notes == ("3 identical copies of slices were left out",)


def test_blank_slices_of_two_echoes_are_no_copies():
    blank = PHANTOM.copy()
    blank[0] = blank[-1] = 0
    first, second = {"EchoTime": "5"}, {"EchoTime": "90"}
    slices = series(blank, first) + series(blank, second)
    for ds, other in zip(slices[1:6], slices[8:13], strict=True):
        other.PixelData = (np.frombuffer(ds.PixelData, "<u2") + 500).astype("<u2").tobytes()
    np.testing.assert_array_equal(read(slices, sequences=("T2",)).voxels[1:6], blank[1:6] + 500)
    np.testing.assert_array_equal(read(slices).voxels, blank)


@pytest.mark.parametrize(
    ("attributes", "wishes", "chosen"),
    [
        (({"EchoTime": "5"}, {"EchoTime": "90"}), {}, 0),
        (({"EchoTime": "5"}, {"EchoTime": "90"}), {"sequences": ("T2",)}, 1),
        (({"EchoTime": "5"}, {"EchoTime": "90"}), {"sequences": ("T1", "T2")}, 0),
        (({"ImageType": ["ORIGINAL", "PRIMARY", "P"]}, {"ImageType": ["ORIGINAL", "PRIMARY", "M"]}), {}, 1),
        (({"DiffusionBValue": 0.0}, {"DiffusionBValue": 1000.0}), {"sequences": ("DWI",)}, 1),
        (({"TemporalPositionIdentifier": 2}, {"TemporalPositionIdentifier": 1}), {}, 1),
        (({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, {}), {}, 1),
    ],
)
def test_of_several_volumes_the_right_one_is_chosen(attributes, wishes, chosen):
    volume = read(series(PHANTOM, *attributes), **wishes)
    np.testing.assert_array_equal(volume.voxels, PHANTOM + 1000 * chosen)
    assert len(volume.notes) == 1


@pytest.mark.parametrize(
    "attributes",
    [
        ({"Modality": "CT", "TriggerTime": "10"}, {"Modality": "CT", "TriggerTime": "500"}),
        ({"Modality": "PT", "FrameReferenceTime": "10"}, {"Modality": "PT", "FrameReferenceTime": "500"}),
        ({"InversionTime": "100"}, {"InversionTime": "900"}),
        ({"ImageType": ["DERIVED", "PRIMARY", "WATER"]}, {"ImageType": ["DERIVED", "PRIMARY", "FAT"]}),
        ({"AcquisitionNumber": 1}, {"AcquisitionNumber": 2}),
    ],
)
def test_where_nobody_can_say_which_volume_is_right_the_series_is_refused(attributes):
    assert refusal(series(PHANTOM, *attributes)) == "several-volumes"


def test_bed_positions_of_a_pet_are_one_volume():
    slices = mr_slices(PHANTOM, Modality="PT")
    for index, ds in enumerate(slices):
        ds.FrameReferenceTime = str(1000 * (index // 4))
    np.testing.assert_array_equal(read(slices).voxels, PHANTOM)


def test_missing_slices_are_filled_in_only_where_the_model_allows_it():
    slices = mr_slices(PHANTOM)
    holes = [ds for index, ds in enumerate(slices) if index not in (2, 3)]
    assert refusal(holes, max_missing_slices=1) == "gap"
    volume = read(holes, max_missing_slices=2)
    np.testing.assert_allclose(volume.voxels, PHANTOM, atol=1e-4)  # the phantom rises evenly
    assert volume.kept == (0, 1, 4, 5, 6)
    assert volume.sop_instance_uids == tuple(ds.SOPInstanceUID for ds in holes)
    assert volume.notes == ("2 missing slices were filled in from their neighbours",)
    np.testing.assert_allclose(volume.affine, read(slices).affine)


def test_uneven_steps_are_never_filled_in():
    slices = mr_slices(PHANTOM)
    x, y, z = slices[6].ImagePositionPatient
    slices[6].ImagePositionPatient = [x, y, z + 1]
    assert refusal(slices, max_missing_slices=9) == "gap"


def test_a_volume_of_hounsfield_units_needs_a_rescale():
    plain = mr_slices(PHANTOM, Modality="CT")
    assert refusal(plain, unit="HU") == "unit"
    scaled = mr_slices(PHANTOM, Modality="CT", RescaleSlope="1", RescaleIntercept="-1024")
    np.testing.assert_array_equal(read(scaled, unit="HU").voxels, PHANTOM - 1024.0)
    for ds in scaled:
        ds.RescaleType = "US"
    assert refusal(scaled, unit="HU") == "unit"
    assert refusal(mr_slices(PHANTOM), unit="HU") == "unit"


def test_a_linear_real_world_mapping_stands_in_for_a_rescale():
    mapping = Dataset()
    mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept = 0.5, 3.0
    slices = mr_slices(PHANTOM, RealWorldValueMappingSequence=Sequence([mapping]))
    np.testing.assert_array_equal(read(slices).voxels, PHANTOM * 0.5 + 3)
    slices = mr_slices(
        PHANTOM,
        RealWorldValueMappingSequence=Sequence([mapping]),
        RescaleSlope="2",
        RescaleIntercept="0",
    )
    np.testing.assert_array_equal(read(slices).voxels, PHANTOM * 2.0)


def test_a_modality_lut_is_applied():
    table = Dataset()
    table.LUTDescriptor, table.ModalityLUTType = [210, 0, 16], "US"
    table.LUTData = list(range(1000, 1210))
    table["LUTDescriptor"].VR = table["LUTData"].VR = "US"
    slices = mr_slices(PHANTOM, ModalityLUTSequence=Sequence([table]))
    np.testing.assert_array_equal(read(slices).voxels, PHANTOM + 1000.0)
