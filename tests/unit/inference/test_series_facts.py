"""What is read of series as makers and sites write them: Siemens, GE, Philips, Canon, in seven languages."""

from dataclasses import replace

import numpy as np
import pytest
from model_series import mr_slices, study_of
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from written_headers import attributes

from inference.contract.inputs import InputKind
from inference.ct_kernel import ct_kernel
from inference.projection import laterality, views
from inference.registry import ModelRegistry
from inference.routing.body_part import BodyPartTable
from inference.routing.choice import best_first, explain_choice
from inference.routing.eligibility import check_input, passed
from inference.routing.header import read_entry
from inference.routing.no_scan import NoScanKind
from inference.routing.scanner import maker
from inference.routing.series import describe, group_series, series_facts

TABLE = BodyPartTable()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("B30f", "soft"), ("B70f", "bone"), ("B50s", "bone"), ("H31s", "soft"), ("H60s", "bone"),
        ("Bl57d", "lung"), ("Br40d", "soft"), ("Br59", "bone"), ("Hr68h", "bone"), ("I26f", "soft"),
        ("Qr40", "soft"), ("STANDARD", "soft"), ("SOFT", "soft"), ("DETAIL", "soft"), ("LUNG", "lung"),
        ("BONE", "bone"), ("BONEPLUS", "bone"), ("BONE+", "bone"), ("EDGE", "bone"), ("HD LUNG", "lung"),
        ("B", "soft"), ("L", "lung"), ("YA", "bone"), ("UB", "soft"), ("FC07", "soft"), ("FC13-H", "soft"),
        ("FC51-H", "lung"),
        ("FC30", "bone"), ("FC51", "lung"), ("FC86", "bone"), ("FL05", "soft"), ("ACME 3", None), ("", None),
    ],
)  # fmt: skip
def test_makers_kernels_are_put_into_classes(name, kind):
    found = ct_kernel(attributes(kernel=name))
    assert (found.kind if found else None) == kind


def test_sharp_kernels_are_for_the_lung_in_the_chest_or_for_what_is_written():
    sharp = attributes(kernel="B70f")
    assert ct_kernel(sharp, in_chest=True).kind == "lung"
    assert ct_kernel(attributes(kernel="B70f", description="Rippen Knochen"), in_chest=True).kind == "bone"
    assert ct_kernel(attributes(description="Thorax Lunge 1.0")).kind == "lung"
    assert ct_kernel(attributes(kernel=["Bl57d", "3"])).kind == "lung"


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ({"view": "PA"}, {"PA"}),
        ({"view": "LATERAL"}, {"LL", "RL"}),
        ({"view": "", "description": "Thorax p.a."}, {"PA"}),
        ({"description": "Thorax seitlich"}, {"LL", "RL"}),
        ({"description": "thorax de profil"}, {"LL", "RL"}),
        ({"directions": ["L", "F"]}, {"AP", "PA"}),
        ({"directions": ["A", "FL"]}, {"LL", "RL"}),
        ({"description": "R MLO"}, {"MLO"}),
        ({"directions": ["A"]}, set()),
        ({}, set()),
    ],
)
def test_views_of_projections_are_read_as_far_as_they_are_told(values, shown):
    assert views(attributes(**values)) == shown


@pytest.mark.parametrize(
    ("name", "view"),
    [("CranioCaudal", "CC"), ("MedioLateralObliqueProjection", "MLO"), ("AnteroPosterior", "AP"),
     ("PosteroAnterior", "PA"), ("LeftLateral", "LL"), ("RightLateral", "RL"), ("LateroMedial", "LM"),
     ("MedioLateralProjection", "ML"), ("CranioCaudalExaggeratedLaterally", "XCCL")],
)  # fmt: skip
def test_view_codes_are_those_of_the_standard(name, view):
    cid = codes.cid4010 if name in dir(codes.cid4010) else codes.cid4014
    item = {"00080100": {"vr": "SH", "Value": [getattr(cid, name).value]}}
    assert views({"00540220": {"vr": "SQ", "Value": [item]}}) == {view}


@pytest.mark.parametrize(
    ("values", "side"),
    [({"side": "R"}, "R"), ({"side": "U"}, None), ({"description": "Knie links"}, "L"),
     ({"description": "genou droit"}, "R"), ({"description": "rodilla izquierda"}, "L"),
     ({"description": "ginocchio destro"}, "R"), ({"description": "mammo bilateral"}, "B"), ({}, None)],
)  # fmt: skip
def test_sides_of_projections_are_read(values, side):
    assert laterality(attributes(**values)) == side


@pytest.mark.parametrize(
    ("written", "name"),
    [("SIEMENS", "SIEMENS"), ("Siemens Healthineers", "SIEMENS"), ("GE MEDICAL SYSTEMS", "GE"),
     ("G.E. Medical Systems", "GE"), ("Philips Medical Systems", "PHILIPS"), ("TOSHIBA_MEC", "CANON"),
     ("Canon Medical Systems", "CANON"), ("FUJI PHOTO FILM CO. LTD.", "FUJIFILM"), ("Hologic, Inc.",
     "HOLOGIC"),
     ("GENDEX", None), ("", None), ("Acme", None)],
)  # fmt: skip
def test_makers_are_known_by_their_many_names(written, name):
    assert maker(attributes(maker=written)) == name


def series(count=24, spacing=(5.0, 1.0, 1.0), directions="axial", **values):
    return mr_slices(np.zeros((count, 4, 4), dtype=np.uint16), directions, spacing=spacing, **values)


def facts(slices):
    return series_facts(study_of(slices).instances, TABLE)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({"SeriesDescription": "AAHead_Scout"}, NoScanKind.LOCALIZER),
        ({"SeriesDescription": "Topogramm 0.6 T80s"}, NoScanKind.LOCALIZER),
        ({"SeriesDescription": "Übersicht"}, NoScanKind.LOCALIZER),
        ({"SeriesDescription": "Patient Protocol"}, NoScanKind.REPORT),
        ({"SeriesDescription": "Dose Report"}, NoScanKind.REPORT),
        ({"ImageType": ["DERIVED", "PRIMARY", "DOSE_INFO"]}, NoScanKind.REPORT),
        ({"SeriesDescription": "Smart Prep Series"}, NoScanKind.TRACKING),
        ({"SeriesDescription": "MIP TOF cor"}, NoScanKind.COMPUTED),
        ({"Modality": "SR"}, NoScanKind.REPORT),
        ({"SeriesDescription": "CT low dose Thorax"}, None),
        ({"SeriesDescription": "T1 loco"}, None),
    ],
)
def test_what_is_no_scan_is_known_by_type_and_words(values, kind):
    found = facts(series(**values)).no_scan
    assert (found.kind if found else None) == kind


@pytest.fixture(scope="module")
def needs():
    return ModelRegistry.load().models["mr-brain-extraction"].input


def allowed(needs, slices, **changes):
    return passed(check_input(replace(needs, **changes), facts(slices), TABLE, "model"))


@pytest.mark.parametrize(
    ("changes", "fits"),
    [
        ({"sequences": ("T1", "T1CE")}, True),
        ({"sequences": ("FLAIR",)}, False),
        ({"orientations": ("axial",)}, True),
        ({"orientations": ("sagittal",)}, False),
        ({"contrast_agent": True}, True),
        ({"kernels": ("soft",)}, True),
        ({"views": ("PA",), "lateralities": ("L",)}, True),
    ],
)
def test_a_model_may_ask_for_more_and_what_is_unknown_is_left_to_the_pixels(needs, changes, fits):
    assert allowed(needs, series(), **changes) is fits


def test_a_contrast_agent_that_is_known_is_held_against_a_model(needs):
    with_agent = series(ContrastBolusAgent="Gd")
    assert not allowed(needs, with_agent, contrast_agent=False)
    assert allowed(needs, with_agent, contrast_agent=True)
    assert not allowed(needs, with_agent, sequences=("T1",))
    assert allowed(needs, with_agent, sequences=("T1CE",))


def test_single_images_need_no_geometry_and_colour_must_be_taken(needs):
    one = series(count=1)
    for ds in one:
        del ds.ImagePositionPatient, ds.ImageOrientationPatient
    assert not allowed(needs, one, min_slices=1)
    assert allowed(needs, one, min_slices=1, kind=InputKind.IMAGE)
    one[0].SamplesPerPixel = 3
    assert not allowed(needs, one, min_slices=1, kind=InputKind.IMAGE)
    assert allowed(needs, one, min_slices=1, kind=InputKind.IMAGE, colour=True)


def test_a_map_is_taken_by_a_model_that_asks_for_it(needs):
    adc = series(ImageType=["DERIVED", "PRIMARY", "DIFFUSION", "ADC"], SeriesDescription="ADC")
    assert not allowed(needs, adc, contrast=None)
    assert allowed(needs, adc, contrast=None, sequences=("DWI", "ADC"))


def test_the_thin_axial_scan_wins_over_scout_reformats_and_lung_kernels(needs):
    def ct(description, kernel="B30f", **values):
        return series(Modality="CT", ContrastBolusAgent="", SeriesDescription=description,
        ConvolutionKernel=kernel,
                      **values)  # fmt: skip

    thick = ct("Thorax 5.0 B30f", spacing=(5.0, 0.7, 0.7))
    thin = ct("Thorax 1.0 B30f", spacing=(1.0, 0.7, 0.7), count=60)
    lung = ct("Thorax 1.0 B70f", "B70f", spacing=(1.0, 0.7, 0.7), count=60)
    coronal = ct("cor", spacing=(0.8, 0.7, 0.7), directions="coronal", count=60)
    reformat = ct("MPR", spacing=(0.5, 0.5, 0.5), ImageType=["ORIGINAL", "PRIMARY", "MPR"], count=60)
    study = study_of([ds for one in (thick, lung, coronal, reformat, thin) for ds in one])
    ranked = best_first(needs, group_series(study.instances, TABLE))
    assert ranked[0].series_instance_uid == thin[0].SeriesInstanceUID
    why = {r.subject: r.text for r in explain_choice(needs, ranked, ranked[:1], "choice.r.m")}
    assert "its voxels are smaller" in why[thick[0].SeriesInstanceUID]
    assert "its kernel is preferred" in why[lung[0].SeriesInstanceUID]
    assert "it is axial" in why[coronal[0].SeriesInstanceUID]
    assert "it is not reformatted" in why[reformat[0].SeriesInstanceUID]


def test_enhanced_images_count_their_frames_and_show_their_geometry(needs):
    ds = series(count=1)[0]
    del ds.ImagePositionPatient, ds.ImageOrientationPatient, ds.PixelSpacing
    ds.NumberOfFrames = 30
    measures, orientation, shared = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness, measures.SpacingBetweenSlices = [1, 1], "2", "3"
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [orientation]
    ds.SharedFunctionalGroupsSequence = [shared]
    found = facts([ds])
    assert (found.count, found.orientation, found.slice_spacing_mm, found.pixel_spacing_mm) == (
        30,
        "axial",
        3,
        1,
    )
    assert not allowed(needs, [ds])
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4.1"
    assert allowed(needs, [ds], sop_classes=("1.2.840.10008.5.1.4.1.1.4.1",))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("CT_small.dcm", "soft kernel (from kernel), with contrast agent"),
        ("MR-SIEMENS-DICOM-WithOverlays.dcm", "body part ABDOMEN (from Body Part Examined), sequence T1CE"),
        ("RG1_J2KI.dcm", "body part CHEST (from Body Part Examined), view PA"),
        ("RG3_J2KI.dcm", "view AP, side R"),
        ("MR2_J2KI.dcm", "body part SHOULDER (from Study Description), sequence T1 (from physics)"),
        ("bad_sequence.dcm", "body part NECK (from Body Part Examined), soft kernel"),
        ("emri_small.dcm", "body part HEAD (from Body Part Examined), sequence T1 (from image type)"),
        ("eCT_Supplemental.dcm", "body part BRAIN (from Anatomic Region Sequence)"),
    ],
)
def test_real_headers_of_several_makers_are_described(name, told):
    entry = read_entry(get_testdata_file(name), name)
    assert told in describe(series_facts([entry], TABLE))
