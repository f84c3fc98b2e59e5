"""Heatmap series: a stack with geometry, in colour, one picture a source slice (OHIF.md)."""

import io

import numpy as np
import pydicom
import pytest
from predicted_series import PLANES, make_case

from dicom_node.domain.result import ResultKind


def pictures_of(case):
    return [
        pydicom.dcmread(io.BytesIO(result.data)) for result in case.encode() if result.kind is ResultKind.SC
    ]


def sources_of(case):
    return [pydicom.dcmread(io.BytesIO(case.study.read(u))) for u in case.prediction.source_sop_instance_uids]


@pytest.mark.parametrize("plane", PLANES)
def test_each_picture_has_the_geometry_of_its_source_slice(plane):
    case = make_case(plane=plane, rows=217, columns=181, spacing=(0.9375, 0.46875))
    pictures, sources = pictures_of(case), sources_of(case)
    assert len(pictures) == len(sources)
    for number, (picture, source) in enumerate(zip(pictures, sources, strict=True), 1):
        assert picture.SourceImageSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID
        for keyword in (
            "ImagePositionPatient",
            "ImageOrientationPatient",
            "PixelSpacing",
            "FrameOfReferenceUID",
        ):
            assert picture[keyword].value == source[keyword].value
        assert (picture.Rows, picture.Columns, picture.InstanceNumber) == (217, 181, number)


@pytest.mark.parametrize(
    ("plane", "letters"), [("axial", ["L", "P"]), ("coronal", ["L", "F"]), ("sagittal", ["P", "F"])]
)
def test_patient_orientation_follows_the_plane(plane, letters):
    assert pictures_of(make_case(plane=plane))[0].PatientOrientation == letters


def test_small_matrix_is_enlarged_and_stays_in_place():
    case = make_case(rows=40, columns=30, plane="coronal", spacing=(2.0, 3.0))
    picture, source = pictures_of(case)[0], sources_of(case)[0]
    factor = picture.Rows // 40
    assert factor > 1
    assert picture.Columns == 30 * factor
    assert [float(v) * factor for v in picture.PixelSpacing] == pytest.approx([2.0, 3.0])
    # The outer corner of the first pixel is the same point.
    corners = [
        np.array(ds.ImagePositionPatient, float)
        - 0.5 * float(ds.PixelSpacing[1]) * np.array(ds.ImageOrientationPatient[:3], float)
        - 0.5 * float(ds.PixelSpacing[0]) * np.array(ds.ImageOrientationPatient[3:], float)
        for ds in (picture, source)
    ]
    np.testing.assert_allclose(*corners, atol=1e-4)


def test_colour_covers_the_finding_and_grey_the_rest(datasets, case):
    index = int(case.mask.sum(axis=(1, 2)).argmax())
    rgb = datasets["pictures"][index].pixel_array.astype(int)
    colourful = np.ptp(rgb, axis=2) > 20
    certain, free = case.probability[index] > 0.9, case.probability[index] < 0.02
    rows, columns = certain.shape
    # Away from text, colour bar and scale bar.
    middle = np.zeros_like(certain)
    middle[40 : rows - 45, 5 : columns - 25] = True
    assert colourful[certain & middle].mean() > 0.99
    assert not colourful[free & middle].any()


def test_pictures_are_uncompressed_rgb_and_name_no_patient(datasets):
    for picture in datasets["pictures"]:
        assert (picture.PhotometricInterpretation, picture.SamplesPerPixel, picture.PlanarConfiguration) == (
            "RGB",
            3,
            0,
        )
        assert not picture.file_meta.TransferSyntaxUID.is_compressed
        assert (picture.LossyImageCompression, picture.BurnedInAnnotation) == ("00", "NO")
        assert picture.RecognizableVisualFeatures == "YES"
        assert "Research use only" in picture.DerivationDescription


def test_series_are_named_for_people(datasets):
    descriptions = {
        ds.SeriesDescription: ds.SeriesNumber
        for ds in (
            *datasets["pictures"],
            datasets["measurements"],
            datasets["report"],
            datasets["segmentation"],
        )
    }
    assert descriptions == {
        "AI measurements (mr-brain-extraction 1.0.2)": 9001,
        "AI report (mr-brain-extraction 1.0.2)": 9002,
        "AI brain mask (mr-brain-extraction 1.0.2)": 9003,
        "AI heatmap (mr-brain-extraction 1.0.2)": 9004,
    }


def test_inverted_source_is_drawn_the_right_way_round():
    def invert(ds, index):
        ds.PhotometricInterpretation = "MONOCHROME1"
        ds.PixelData = (4095 - np.frombuffer(ds.PixelData, np.uint16)).astype(np.uint16).tobytes()

    plain = pictures_of(make_case(rows=217, columns=181))[4].pixel_array.astype(int)
    inverted = pictures_of(make_case(rows=217, columns=181, change=invert))[4].pixel_array.astype(int)
    assert np.abs(plain - inverted).max() <= 3
