"""Text in pixels as the engine treats it: redacted, kept back or vouched for, claimed only when looked at."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pydicom
import pytest
from pydicom.uid import SecondaryCaptureImageStorage

from anonymizer.context import StudyContext
from anonymizer.engine import Engine
from anonymizer.errors import CannotVouch
from anonymizer.pixels.cleaner import PixelCleaner
from anonymizer.profile import Option, Profile

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

KEY = bytes(range(32))
PROFILE = Profile(frozenset({Option.CLEAN_PIXEL_DATA}))


def read(data: bytes) -> Dataset:
    return pydicom.dcmread(io.BytesIO(data))


def codes(ds: Dataset) -> set[str]:
    return {item.CodeValue for item in ds.DeidentificationMethodCodeSequence}


@pytest.fixture(scope="module")
def cleaner() -> PixelCleaner:
    return PixelCleaner()


@pytest.fixture(scope="module")
def engine(cleaner) -> Engine:
    return Engine(KEY, PROFILE, pixels=cleaner)


def written(text: str, rows: int = 160, columns: int = 240) -> np.ndarray:
    """(rows, columns), uint16 of 12 bits: a dim gradient with a line of text."""
    picture = np.tile(np.linspace(200, 900, columns), (rows, 1)).astype(np.uint16)
    if text:
        mask = np.zeros((rows, columns), np.uint8)
        cv2.putText(mask, text, (12, 80), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 255, 2, cv2.LINE_AA)
        picture[mask > 127] = 4000
    return picture


@pytest.fixture
def make_picture(make_mr):
    def make(instance: int = 1, text: str = "", *, capture: bool = False) -> Dataset:
        ds = make_mr(instance)
        picture = written(text)
        ds.Rows, ds.Columns = picture.shape
        ds.PixelData = picture.tobytes()
        if capture:
            ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
            ds.Modality, ds.ConversionType = "OT", "WSD"
        return ds

    return make


def test_text_in_a_capture_is_blacked_out_and_the_object_says_so(engine, make_picture, to_bytes):
    ds = make_picture(text="SMITH JOHN", capture=True)
    out = engine.deidentify(to_bytes(ds))
    cleaned = read(out.data)
    assert (cleaned.pixel_array[60:85, 12:150] < 4000).all()
    assert cleaned.BurnedInAnnotation == "NO"
    assert codes(cleaned) == {"113100", "113101"}
    assert out.report.pixels == "redacted"
    assert {box.source for box in out.report.boxes} == {"text"}
    outside = np.ones(cleaned.pixel_array.shape, bool)
    for box in out.report.boxes:
        outside[box.y : box.y + box.height, box.x : box.x + box.width] = False
    assert (cleaned.pixel_array[outside] == ds.pixel_array[outside]).all()


def test_where_redaction_is_not_wanted_the_instance_is_kept_back_until_a_person_vouches(
    cleaner, make_picture, to_bytes
):
    engine = Engine(KEY, PROFILE, pixels=cleaner, redact=False)
    ds = make_picture(text="SMITH JOHN", capture=True)
    with pytest.raises(CannotVouch, match="pixels-hold-text") as caught:
        engine.deidentify(to_bytes(ds))
    out = engine.deidentify(to_bytes(ds), vouched=frozenset({caught.value.rule}))
    assert (read(out.data).pixel_array == ds.pixel_array).all()
    assert codes(read(out.data)) == {"113100"}
    assert out.report.risks[0] == "vouched-pixels-hold-text"


def test_of_slices_the_sample_is_looked_at_and_all_where_it_holds_text(engine, make_picture, to_bytes):
    clean = [to_bytes(make_picture(n)) for n in range(1, 6)]
    context = StudyContext.of([engine.survey(data) for data in clean])
    reports = [engine.deidentify(data, context).report for data in clean]
    assert [report.pixels for report in reports] == [
        "unchanged", "not-checked", "unchanged", "not-checked", "unchanged",
    ]  # fmt: skip
    assert codes(read(engine.deidentify(clean[1], context).data)) == {"113100"}

    marked = [to_bytes(make_picture(n, "DOE JANE" if n in {1, 2} else "")) for n in range(1, 6)]
    context = StudyContext.of([engine.survey(data) for data in marked])
    reports = [engine.deidentify(data, context).report for data in marked]
    assert [report.pixels for report in reports] == [
        "redacted", "redacted", "unchanged", "unchanged", "unchanged",
    ]  # fmt: skip


def test_without_the_option_nobody_looks_and_captures_are_kept_back(make_picture, to_bytes):
    engine = Engine(KEY, Profile(frozenset()))
    with pytest.raises(CannotVouch, match="pixels-not-vouched-for"):
        engine.deidentify(to_bytes(make_picture(capture=True)))
    out = engine.deidentify(to_bytes(make_picture()))
    assert out.report.pixels == "not-checked"
    assert "pixels-not-checked" in out.report.risks


def test_an_engine_that_was_warmed_up_gives_the_same_bytes(engine, make_picture, to_bytes):
    data = to_bytes(make_picture(text="SMITH JOHN", capture=True))
    warm = Engine(KEY, PROFILE, pixels=PixelCleaner())
    warm.warm_up()
    assert warm.deidentify(data).data == engine.deidentify(data).data
