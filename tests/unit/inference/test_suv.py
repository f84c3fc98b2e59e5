"""PET in standardised uptake values, or refused where something is missing."""

import numpy as np
import pytest
from model_series import mr_slices, study_of
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from inference.preprocess.series import read_volume
from inference.preprocess.volume import VolumeRefused

COUNTS = np.arange(3 * 4 * 4, dtype=np.uint16).reshape(3, 4, 4)


def pet(**changes):
    """A whole-body FDG PET: 370 MBq at 10:00, scanned from 11:00 on, 75 kg."""
    item = Dataset()
    item.RadionuclideTotalDose, item.RadionuclideHalfLife = "370000000", "6586.2"
    item.RadiopharmaceuticalStartTime = "100000"
    for keyword in [key for key in changes if hasattr(item, key) or key.startswith("Radio")]:
        value = changes.pop(keyword)
        if value is None:
            delattr(item, keyword)
        else:
            setattr(item, keyword, value)
    attributes = {
        "Modality": "PT",
        "Units": "BQML",
        "DecayCorrection": "START",
        "CorrectedImage": ["DECY", "ATTN", "SCAT"],
        "PatientWeight": "75",
        "SeriesDate": "20260301",
        "SeriesTime": "110000",
        "AcquisitionDate": "20260301",
        "AcquisitionTime": "110000",
        "RadiopharmaceuticalInformationSequence": Sequence([item]),
        **changes,
    }
    slices = mr_slices(COUNTS, **{key: value for key, value in attributes.items() if value is not None})
    for index, ds in enumerate(slices):
        # Every slice has its own rescale, as PET has it.
        ds.RescaleSlope, ds.RescaleIntercept = str(100 * (index + 1)), "0"
    return slices


def read(slices):
    study = study_of(slices)
    uids = [e.sop_instance_uid for e in study.instances]
    return read_volume(uids, study.read, max_voxels=10**6, unit="SUVbw").voxels


def refusal(slices):
    with pytest.raises(VolumeRefused) as caught:
        read(slices)
    assert caught.value.rule == "suv"
    return caught.value.text


ACTIVITY = COUNTS * np.array([100.0, 200.0, 300.0])[:, None, None]


def test_uptake_is_what_a_hand_calculation_gives():
    # After 3600 s of 6586.2 s half-life 0.68464 of 370 MBq are left: 253.32 MBq in 75,000 g.
    # The last voxel holds 47 * 300 = 14,100 Bq/mL: 14,100 * 75,000 / 253,317,000 = 4.1746 g/mL.
    voxels = read(pet())
    assert voxels[2, 3, 3] == pytest.approx(4.1746, abs=2e-4)
    np.testing.assert_allclose(voxels, ACTIVITY * 75_000 / (370e6 * 2 ** (-3600 / 6586.2)), rtol=1e-6)


def test_images_corrected_to_the_injection_need_no_decay():
    np.testing.assert_allclose(read(pet(DecayCorrection="ADMIN")), ACTIVITY * 75_000 / 370e6, rtol=1e-6)


def test_a_series_time_of_later_processing_is_not_the_start_of_the_scan():
    np.testing.assert_allclose(read(pet(SeriesTime="153000")), read(pet()), rtol=1e-6)


def test_an_injection_before_midnight_lies_on_the_day_before():
    late = pet(SeriesTime="003000", AcquisitionTime="003000", RadiopharmaceuticalStartTime="233000")
    np.testing.assert_allclose(read(late), read(pet()), rtol=1e-6)


def test_a_dated_injection_wins():
    dated = pet(RadiopharmaceuticalStartDateTime="20260301090000")
    expected = ACTIVITY * 75_000 / (370e6 * 2 ** (-7200 / 6586.2))
    np.testing.assert_allclose(read(dated), expected, rtol=1e-6)
    assert "contradict" in refusal(pet(RadiopharmaceuticalStartDateTime="20260302090000"))


def test_values_that_are_uptake_already_stay():
    np.testing.assert_allclose(read(pet(Units="GML")), ACTIVITY, rtol=1e-6)
    assert "body weight" in refusal(pet(Units="GML", SUVType="LBM"))


def _counts(**factors):
    slices = pet(Units="CNTS")
    for ds in slices:
        block = ds.private_block(0x7053, "Philips PET Private Group", create=True)
        for name, value in factors.items():
            block.add_new({"suv": 0x00, "activity": 0x09}[name], "DS", value)
    return slices


def test_counts_become_uptake_by_the_makers_factors():
    np.testing.assert_allclose(read(_counts(suv="0.00025")), ACTIVITY * 0.00025, rtol=1e-6)
    np.testing.assert_allclose(read(_counts(activity="2.5")), 2.5 * read(pet()), rtol=1e-6)
    assert "counts" in refusal(_counts())


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"PatientWeight": None}, "weight is missing"),
        ({"PatientWeight": "0"}, "weight is missing"),
        ({"RadionuclideTotalDose": None}, "dose is missing"),
        ({"RadionuclideHalfLife": None}, "half-life is missing"),
        ({"RadiopharmaceuticalStartTime": None}, "injection is missing"),
        ({"AcquisitionTime": None}, "scan is missing"),
        ({"SeriesDate": None}, "missing"),
        ({"DecayCorrection": "NONE"}, "decay corrected is not told"),
        ({"CorrectedImage": ["DECY"]}, "not corrected for attenuation"),
        ({"CorrectedImage": None}, "not corrected"),
        ({"Units": "PROPCNTS"}, "units are none"),
        ({"Modality": "NM"}, "no PET"),
    ],
)
def test_what_uptake_needs_is_named_where_it_is_missing(changes, text):
    assert text in refusal(pet(**changes))


def test_a_series_without_a_radiopharmaceutical_is_refused():
    slices = pet()
    for ds in slices:
        del ds.RadiopharmaceuticalInformationSequence
    assert "radiopharmaceutical" in refusal(slices)
