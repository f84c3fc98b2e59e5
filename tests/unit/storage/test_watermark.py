"""The disk watermark."""

import pytest

from dicom_node.domain.errors import OutOfResources, StorageFailure
from dicom_node.storage.watermark import DiskWatermark


def test_check_passes_while_enough_is_free(tmp_path):
    DiskWatermark(tmp_path, 1).check()


def test_check_raises_below_the_watermark(tmp_path):
    with pytest.raises(OutOfResources, match="min_free_mb"):
        DiskWatermark(tmp_path, 2**62).check()


def test_zero_switches_it_off(tmp_path):
    DiskWatermark(tmp_path, 0).check()


def test_disk_that_does_not_answer_is_a_storage_failure(tmp_path):
    with pytest.raises(StorageFailure):
        DiskWatermark(tmp_path / "gone", 1).check()


def test_answer_is_kept_for_a_moment(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    watermark = DiskWatermark(folder, 1)
    watermark.check()
    folder.rmdir()
    watermark.check()
