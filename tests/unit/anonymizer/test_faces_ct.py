"""CT heads: refused, unless the experiment is asked for."""

import numpy as np
import pytest
from model_series import ct_head
from pydicom.uid import CTImageStorage
from real_heads import Head, as_part10

from anonymizer.errors import CannotVouch
from anonymizer.faces.cleaner import FaceCleaner
from anonymizer.faces.ct import cranial_cavity
from anonymizer.faces.volume import read_dataset, read_volume

SPACING = (1.5, 0.957, 0.957)
COARSE = (2.0, 2.0, 2.0)


def no_mask(voxels, affine):
    raise AssertionError("this mask is for MR")


@pytest.fixture(scope="module")
def head():
    hu = ct_head()
    return Head(hu, np.zeros(hu.shape, bool), np.diag([-SPACING[1], -SPACING[2], SPACING[0], 1.0]))


def ct_series(head, directions="axial"):
    series, array = head.series(
        directions,
        COARSE,
        kind=np.int16,
        Modality="CT",
        SOPClassUID=CTImageStorage,
        RescaleSlope="1",
        RescaleIntercept="0",
    )
    for ds in series:
        ds.file_meta.MediaStorageSOPClassUID = CTImageStorage
        del ds.EchoTime, ds.InversionTime
    return as_part10(series), array


def test_a_ct_head_is_refused(head):
    with pytest.raises(CannotVouch, match="CT"):
        FaceCleaner(no_mask).clean(ct_series(head)[0])


@pytest.mark.parametrize("directions", ["axial", "sagittal", "coronal"])
def test_the_experiment_takes_the_face_and_spares_the_cavity(head, directions):
    instances, _ = ct_series(head, directions)
    outcome = FaceCleaner(no_mask, experimental_ct_mask=cranial_cavity).clean(instances)
    assert outcome.measures.face_moved > 0.85
    assert outcome.measures.eyes_moved > 0.8
    before, after = read_volume(instances), read_volume(outcome.instances)
    differ = before.voxels != after.voxels
    assert 1100 < cranial_cavity(before.voxels, before.affine).sum() * np.prod(COARSE) / 1000 < 1700
    assert differ.any()
    assert after.voxels[differ].max() <= -900
    said = read_dataset(outcome.instances[0])
    assert said.RecognizableVisualFeatures == "NO"


def test_a_head_whose_skull_is_not_closed_is_refused(head):
    opened = head.voxels.copy()
    opened[120:136] = np.minimum(opened[120:136], 40)
    instances, _ = ct_series(Head(opened, head.brain, head.affine))
    with pytest.raises(CannotVouch, match="face-not-removed"):
        FaceCleaner(no_mask, experimental_ct_mask=cranial_cavity).clean(instances)


def test_gaps_between_slices_are_filled_and_nothing_below():
    voxels = np.full((40, 60, 60), -1000, np.float32)
    voxels[5:35, 5:55, 5:55] = 800
    voxels[5:35, 8:52, 8:52] = 40
    voxels[18:21, 5:55, 28:32] = 40  # three slices whose ring is open
    affine = np.array([[0, 0, 2, 0], [0, 2, 0, 0], [2, 0, 0, 0], [0, 0, 0, 1.0]])
    cavity = cranial_cavity(voxels, affine)
    assert cavity[5:35, 20:40, 20:40].all()
    assert not cavity[:5].any()
    assert not cavity[35:].any()
