"""Removing the face, on a real head with its own brain mask."""

import copy
import io

import numpy as np
import pydicom
import pytest
from model_series import DIRECTIONS
from pydicom.pixels import iter_pixels
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
    RLELossless,
)
from real_heads import as_part10

from anonymizer.engine import Engine
from anonymizer.errors import CannotVouch
from anonymizer.faces.cleaner import FaceCleaner
from anonymizer.faces.volume import read_dataset, read_volume

CODE = ("113102", "DCM", "Clean Recognizable Visual Features Option")
#: An axial slice through nose and cheeks.
LOW = 4
#: Rows of it that lie before everything that stays.
FRONT = 15


@pytest.fixture(scope="module")
def cleaner(real_head):
    return FaceCleaner(real_head.brain_mask)


@pytest.fixture(scope="module")
def axial(real_head):
    return real_head.series()[0]


@pytest.fixture(scope="module")
def cleaned(cleaner, axial):
    return cleaner.clean(as_part10(axial))


def stored(part10):
    ds = read_dataset(part10)
    dtype = np.dtype(f"<{'iu'[ds.PixelRepresentation == 0]}{ds.BitsAllocated // 8}")
    return np.frombuffer(ds.PixelData, dtype).reshape(ds.Rows, ds.Columns)


def changed(series, **attributes):
    copies = copy.deepcopy(series)
    for ds in copies:
        for keyword, value in attributes.items():
            setattr(ds, keyword, value)
    return copies


def codes(part10):
    items = read_dataset(part10).get("DeidentificationMethodCodeSequence", [])
    return [(item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning) for item in items]


def without(part10, *keywords):
    ds = read_dataset(part10)
    return {e.tag: e for e in ds if e.keyword not in keywords}


# ------------------------------------------------------------------------------------- what is removed


@pytest.mark.parametrize("spacing", [(2.0, 2.0, 2.0), (5.0, 1.5, 2.0)], ids=["isotropic", "thick slices"])
@pytest.mark.parametrize("directions", DIRECTIONS)
def test_face_goes_and_brain_stays_whichever_way_the_slices_run(cleaner, real_head, directions, spacing):
    series, _ = real_head.series(directions, spacing)
    instances = as_part10(series)
    outcome = cleaner.clean(instances)
    assert outcome.state == "removed"
    before, after = read_volume(instances), read_volume(outcome.instances)
    assert np.array_equal(before.affine, after.affine)
    differ = before.voxels != after.voxels
    brain = real_head.brain_mask(before.voxels, before.affine)
    assert brain.sum() * np.prod(spacing) > 1.2e6
    assert not (differ & brain).any()
    # Every point before the eyes and nose of this head is air now, whatever stood there.
    nose = real_head.at("voxels", before.affine, before.voxels.shape) > 30
    places = np.indices(before.voxels.shape).reshape(3, -1).T @ before.affine[:3, :3].T + before.affine[:3, 3]
    x, y, z = places.T
    tip = ((abs(x) < 20) & (y < -85) & (z < -35)).reshape(nose.shape) & nose
    assert tip.sum() > 20
    assert (after.voxels[tip] == 0).all()
    assert outcome.measures.face_moved > 0.85
    assert outcome.measures.eyes_moved > 0.8


def test_pixels_behind_the_plane_and_all_other_attributes_stay_to_the_bit(cleaned, axial):
    instances, outcome = as_part10(axial), cleaned
    volume = read_volume(instances)
    beyond = outcome.plane.beyond(volume.stored.shape, volume.affine)
    for place, index in enumerate(volume.order):
        old, new = stored(instances[index]), stored(outcome.instances[index])
        assert np.array_equal(old[~beyond[place]], new[~beyond[place]])
        assert not new[beyond[place]].any()
        added = ("PixelData", "DeidentificationMethodCodeSequence", "RecognizableVisualFeatures")
        assert without(instances[index], *added) == without(outcome.instances[index], *added)


def test_output_keeps_the_order_and_number_of_the_input(cleaner, axial):
    shuffled = [axial[i] for i in np.random.default_rng(1).permutation(len(axial))]
    outcome = cleaner.clean(as_part10(shuffled))
    uids = [read_dataset(data, pixels=False).SOPInstanceUID for data in outcome.instances]
    assert uids == [ds.SOPInstanceUID for ds in shuffled]


def test_face_is_removed_from_slices_that_hold_no_brain_too(cleaned, axial):
    low = stored(cleaned.instances[LOW])
    assert (stored(as_part10(axial)[LOW])[:FRONT] > 60).any()
    assert not low[:FRONT].any()


def test_removed_values_are_the_air_of_the_image(cleaner, real_head):
    series, array = real_head.series(kind=np.int16)
    for ds, plane in zip(series, array, strict=True):
        ds.PixelData = (plane - 1000).astype("<i2").tobytes()
        ds.RescaleSlope, ds.RescaleIntercept = "1", "1000"
    outcome = cleaner.clean(as_part10(series))
    assert min(stored(data).min() for data in outcome.instances) == -1000
    assert outcome.measures.face_moved > 0.9


def test_pixel_padding_value_marks_what_was_removed(cleaner, real_head):
    series, array = real_head.series(kind=np.int16)
    for ds in series:
        ds.PixelPaddingValue = -7
    outcome = cleaner.clean(as_part10(series))
    values = np.concatenate([stored(data).ravel() for data in outcome.instances])
    assert (values == -7).sum() > 1000
    assert set(np.unique(values)) <= {-7, *np.unique(array)}


def test_bright_is_dark_in_inverted_images(cleaner, real_head):
    series, array = real_head.series()
    for ds, plane in zip(series, array, strict=True):
        ds.PhotometricInterpretation = "MONOCHROME1"
        ds.PixelData = (4095 - plane).astype("<u2").tobytes()
    outcome = cleaner.clean(as_part10(series))
    assert max(stored(data).max() for data in outcome.instances) == 4095
    assert (stored(as_part10(series)[LOW])[:FRONT] < 4000).any()
    assert not (stored(outcome.instances[LOW])[:FRONT] < 4000).any()


def test_unused_bits_do_not_hide_the_head(cleaner, real_head):
    series, array = real_head.series(BitsStored=12, HighBit=11)
    noise = np.random.default_rng(0).integers(0, 16, array.shape).astype(np.uint16)
    for ds, plane, bits in zip(series, array, noise, strict=True):
        ds.PixelData = (plane | bits << 12).astype("<u2").tobytes()
    assert cleaner.clean(as_part10(series)).measures.face_moved > 0.9


def test_icon_and_extrema_of_the_old_pixels_go_with_them(cleaner, real_head):
    icon = pydicom.Dataset()
    icon.Rows = icon.Columns = 8
    icon.BitsAllocated = icon.BitsStored = 8
    icon.PixelData = bytes(64)
    series, _ = real_head.series(IconImageSequence=[icon], LargestImagePixelValue=255)
    outcome = cleaner.clean(as_part10(series))
    low = read_dataset(outcome.instances[LOW])
    assert "IconImageSequence" not in low
    assert "LargestImagePixelValue" not in low


# ----------------------------------------------------------------------------------- transfer syntaxes


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, ExplicitVRLittleEndian], ids=lambda uid: uid.name
)
def test_native_instances_keep_their_transfer_syntax(cleaner, cleaned, axial, syntax):
    encoded = []
    for data in as_part10(axial):
        ds = read_dataset(data)
        if syntax == ExplicitVRBigEndian:
            ds.PixelData = np.frombuffer(ds.PixelData, "<u2").astype(">u2").tobytes()
        ds.file_meta.TransferSyntaxUID = syntax
        ds.preamble = bytes(128)
        list(ds.iterall())
        buffer = io.BytesIO()
        pydicom.dcmwrite(
            buffer,
            ds,
            implicit_vr=syntax.is_implicit_VR,
            little_endian=syntax.is_little_endian,
            force_encoding=True,
        )
        encoded.append(buffer.getvalue())
    outcome = cleaner.clean(encoded)
    for data, reference in zip(outcome.instances, cleaned.instances, strict=True):
        ds = read_dataset(data)
        assert ds.file_meta.TransferSyntaxUID == syntax
        assert np.array_equal(ds.pixel_array, stored(reference))
        assert codes(data) == [CODE]


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless], ids=lambda uid: uid.name)
def test_compressed_instances_become_native_where_pixels_change(cleaner, cleaned, real_head, syntax):
    series, _ = real_head.series(BitsStored=12, HighBit=11)
    compressed = []
    for ds in series:
        ds.compress(syntax, generate_instance_uid=False)
        compressed.append(ds)
    outcome = cleaner.clean(as_part10(compressed))
    syntaxes = [read_dataset(data).file_meta.TransferSyntaxUID for data in outcome.instances]
    assert syntaxes[0] == ExplicitVRLittleEndian
    assert syntaxes[-1] == syntax  # the vertex has no face
    for data, reference in zip(outcome.instances, cleaned.instances, strict=True):
        (plane,) = iter_pixels(io.BytesIO(data))
        assert np.array_equal(plane, stored(reference))


# ------------------------------------------------------------------------------------- what it says


def test_code_and_attribute_stand_in_every_instance_of_a_cleaned_series(cleaned):
    for data in cleaned.instances:
        assert codes(data) == [CODE]
        assert read_dataset(data).RecognizableVisualFeatures == "NO"


def test_code_is_added_to_those_of_the_profile_in_order(cleaner, axial):
    engine = Engine(bytes(range(32)))
    originals = as_part10(axial)
    outcome = cleaner.clean([engine.deidentify(data).data for data in originals])
    values = [value for value, _, _ in codes(outcome.instances[0])]
    assert values == sorted(values)
    assert values.count("113102") == 1
    assert "113100" in values


def test_nothing_is_claimed_where_nothing_was_needed(cleaner, axial):
    instances = as_part10(changed(axial[:3], BodyPartExamined="KNEE"))
    outcome = cleaner.clean(instances)
    assert outcome.state == "not-needed"
    assert list(outcome.instances) == instances


# ----------------------------------------------------------------------------------- what is refused


def refusal(cleaner, series):
    with pytest.raises(CannotVouch) as caught:
        cleaner.clean(as_part10(series))
    assert caught.value.rule == "face-not-removed"
    return caught.value.advice


def test_a_missing_slice_is_refused(cleaner, axial):
    assert "missing" in refusal(cleaner, axial[:20] + axial[21:])


@pytest.mark.parametrize("half", [np.s_[:30], np.s_[30:]], ids=["lower", "upper"])
def test_half_a_head_is_refused(cleaner, axial, half):
    assert "ends inside the brain" in refusal(cleaner, axial[half])


def test_a_few_slices_are_refused(cleaner, axial):
    assert "too few" in refusal(cleaner, axial[:5])


def test_two_echoes_in_one_series_are_refused(cleaner, axial):
    assert "one position" in refusal(cleaner, [*axial, axial[3]])


def test_an_image_whose_fluid_is_bright_is_refused(cleaner, real_head):
    series, array = real_head.series()
    bright = np.percentile(array, 99.5)
    for ds, plane in zip(series, array, strict=True):
        turned = (bright - np.clip(plane, 0, bright)) * (plane > 25)
        ds.PixelData = turned.astype("<u2").tobytes()
    assert "not T1-weighted" in refusal(cleaner, series)


def test_a_long_echo_is_refused_before_anything_is_outlined(real_head):
    def mask(voxels, affine):
        raise AssertionError("asked for a mask")

    series, _ = real_head.series(EchoTime="95")
    assert "not T1-weighted" in refusal(FaceCleaner(mask), series)


def failing(voxels, affine):
    raise RuntimeError("CANARY")


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (failing, "could not be outlined (RuntimeError)"),
        (lambda voxels, affine: np.zeros(voxels.shape, bool), "no brain was found"),
        (lambda voxels, affine: np.ones(voxels.shape, bool), "ends inside the brain"),
        (lambda voxels, affine: np.ones((3, 3, 3), bool), "does not fit"),
    ],
    ids=["fails", "empty", "everything", "other shape"],
)
def test_a_mask_that_is_none_is_refused(axial, mask, words):
    advice = refusal(FaceCleaner(mask), axial)
    assert words in advice
    assert "CANARY" not in advice


def test_a_mask_of_a_part_of_the_brain_is_refused(real_head, axial):
    def half(voxels, affine):
        brain = real_head.brain_mask(voxels, affine)
        brain[:, :, brain.shape[2] // 2 :] = False
        return brain

    assert "no size of a brain" in refusal(FaceCleaner(half), axial)


@pytest.mark.parametrize(
    "turn", [(1, 0, 0, 0, -1, 0), (-1, 0, 0, 0, -1, 0)], ids=["upside down", "backwards"]
)
def test_an_orientation_that_is_wrong_is_refused(real_head, axial, turn):
    true = read_volume(as_part10(axial))
    wrong = changed(axial, ImageOrientationPatient=list(turn))
    for ds in wrong:
        x, y, z = ds.ImagePositionPatient
        ds.ImagePositionPatient = [turn[0] * x, -y, turn[0] * -z]
    brain = real_head.brain_mask(true.voxels, true.affine)
    assert refusal(FaceCleaner(lambda voxels, affine: brain), wrong)


def test_an_image_without_a_face_is_refused(cleaner, real_head):
    series, array = real_head.series()
    volume = read_volume(as_part10(series))
    bare = np.where(real_head.brain_mask(volume.voxels, volume.affine), array, 0)
    for ds, plane in zip(series, bare, strict=True):
        ds.PixelData = plane.astype("<u2").tobytes()
    assert "face" in refusal(cleaner, series)


def test_a_buffer_so_wide_that_the_face_stays_is_refused(real_head, axial):
    assert "would stay" in refusal(FaceCleaner(real_head.brain_mask, buffer_mm=40), axial)


def test_ct_is_refused_unless_the_experiment_is_asked_for(cleaner, real_head):
    series, _ = real_head.series(Modality="CT", SOPClassUID=CTImageStorage)
    for ds in series:
        ds.file_meta.MediaStorageSOPClassUID = CTImageStorage
        for keyword in ("EchoTime", "InversionTime"):
            delattr(ds, keyword)
    assert "CT" in refusal(cleaner, series)


def test_colour_and_multi_frame_images_are_refused(cleaner, axial):
    for keyword, value in (("NumberOfFrames", 2), ("PhotometricInterpretation", "PALETTE COLOR")):
        assert refusal(cleaner, changed(axial, **{keyword: value}))
