"""Every real instance at hand is read, or refused with a reason that tells none of its values."""

import warnings
from pathlib import Path

from pydicom import dcmread
from pydicom.data import get_testdata_file

from inference.preprocess.images import read_images
from inference.preprocess.series import read_volume
from inference.preprocess.volume import VolumeRefused

#: Larger ones would only cost time.
_LARGEST = 130_000
_KNOWN = {
    "CT_small.dcm": (1, 128, 128),
    "MR_small_RLE.dcm": (1, 64, 64),
    "SC_rgb_jpeg_dcmtk.dcm": (1, 100, 100, 3),
    "color-px.dcm": (1, 120, 256, 3),
    "emri_small_jpeg_ls_lossless.dcm": (10, 64, 64),
    "MR_truncated.dcm": "pixels",
    "rtplan.dcm": "pixels",
}


def _files():
    # Of pydicom itself and of pydicom-data; pydicom's own list would try to download what is in neither.
    folders = (
        Path(get_testdata_file(name, download=False)).parent for name in ("CT_small.dcm", "emri_small.dcm")
    )
    found = (path for folder in folders for path in folder.rglob("*"))
    return [path for path in found if path.is_file() and path.stat().st_size < _LARGEST]


def _outcome(read):
    try:
        return read().pixels.shape
    except VolumeRefused as exc:
        return exc.rule


def test_every_real_instance_is_read_as_images_or_refused():
    outcomes = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what pydicom says of broken files
        for path in _files():
            data = path.read_bytes()
            outcomes[path.name] = _outcome(
                lambda data=data: read_images(["1"], lambda _: data, max_voxels=10**8, colour=True)
            )
    assert {name: outcomes.get(name) for name in _KNOWN} == _KNOWN
    read = [name for name, outcome in outcomes.items() if isinstance(outcome, tuple)]
    assert len(read) > 100
    assert set(outcomes.values()) - {outcomes[name] for name in read} <= {"unreadable", "pixels", "frames"}


def test_every_real_series_becomes_a_volume_or_is_refused():
    series = {}
    rules = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in _files():
            try:
                uid = str(dcmread(path, specific_tags=["SeriesInstanceUID"]).SeriesInstanceUID)
            except Exception:  # noqa: BLE001  no DICOM, or none that belongs to a series
                uid = path.name
            series.setdefault(uid, []).append(path)
        for paths in series.values():
            files = {str(path): path for path in paths}
            try:
                volume = read_volume(
                    list(files), lambda name, f=files: f[name].read_bytes(), max_voxels=10**8
                )
                assert volume.voxels.ndim == 3
                rules.append("read")
            except VolumeRefused as exc:
                rules.append(exc.rule)
    assert "read" in rules
    assert {"slices", "missing-geometry", "unreadable"} <= set(rules)


def test_a_colour_image_is_refused_where_grey_is_wanted():
    data = Path(get_testdata_file("SC_rgb_jpeg_dcmtk.dcm", download=False)).read_bytes()
    assert _outcome(lambda: read_images(["1"], lambda _: data, max_voxels=10**8)) == "colour"
