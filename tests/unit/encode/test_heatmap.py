"""Pictures drawn over slices: colours, legend, scale bar, boxes, text."""

import numpy as np
import pytest

from inference.encode.annotation import Caption, colours
from inference.encode.heatmap import BOX_COLOUR, Painter, PictureBox

CAPTION = Caption(("model 1.0", "speaks for: glioma"), 1.0)
GREY = 110


def painted(shape=(200, 200), level=None, caption=CAPTION, boxes=(), value=GREY):
    level = None if level is None else np.full(shape, level, np.float16)
    return Painter(shape, caption).paint(np.full(shape, value, np.uint8), level, boxes)


def middle(picture):
    rows, columns = picture.shape[:2]
    return picture[rows // 2, columns // 2].astype(int)


def changed(first, second):
    return (first != second).any(axis=2)


def test_without_a_level_a_slice_stays_grey():
    assert middle(painted()).tolist() == [GREY] * 3
    assert middle(painted(level=0.0)).tolist() == [GREY] * 3
    assert middle(painted(level=np.nan)).tolist() == [GREY] * 3


@pytest.mark.parametrize("level", [0.2, 0.5, 0.8, 1.0])
def test_a_level_colours_the_slice_towards_its_colour_in_the_legend(level):
    found = middle(painted(level=level))
    wanted = colours()[round(level * 255)].astype(int)
    assert np.ptp(found) > 15
    assert np.abs(found - wanted).sum() < np.abs(GREY - wanted).sum()


def test_structure_shows_through_the_colour():
    slice_ = np.full((200, 200), 60, np.uint8)
    slice_[:, :100] = 180
    picture = Painter(slice_.shape, CAPTION).paint(slice_, np.ones(slice_.shape, np.float16)).astype(int)
    assert picture[120, 50].sum() > picture[120, 150].sum() + 100


def test_the_colour_of_a_photograph_stays_beside_the_heat():
    slice_ = np.zeros((200, 200, 3), np.uint8)
    slice_[:] = (200, 60, 40)
    level = np.zeros((200, 200), np.float32)
    level[:, :100] = 1
    picture = Painter((200, 200), CAPTION).paint(slice_, level)
    assert picture[120, 150].tolist() == [200, 60, 40]
    assert picture[120, 50].tolist() != [200, 60, 40]
    assert slice_[120, 50].tolist() == [200, 60, 40]


def test_the_legend_runs_through_the_maps_colours_from_0_below_to_1_above():
    picture = painted((300, 300))
    plain = painted((300, 300), caption=Caption(CAPTION.lines, 1.0, legend=False))
    bar = changed(picture, plain)
    column = picture[:, 292]
    inside = [row for row in range(100, 200) if bar[row, 292]]
    assert len(inside) == 100
    levels = np.linspace(255, 0, 100).astype(int)
    np.testing.assert_array_equal(column[inside], colours()[levels])
    # The upper end is bright, and the lower one dark, for people who see no colours too.
    brightness = column[inside].astype(int) @ (299, 587, 114) / 1000
    assert (np.diff(brightness) <= 1.5).all()
    assert brightness[0] > brightness[-1] + 150


@pytest.mark.parametrize(
    ("shape", "spacing", "length", "millimetres"),
    [
        ((256, 256), 1.0, 100, 100),
        ((512, 512), 0.48828125, 205, 100),
        ((200, 300), 0.7, 71, 50),
        ((64, 64), 4.0, 75, 100),  # drawn three times as large
        ((2000, 2560), 0.1, 500, 100),  # drawn half as large
    ],
)
def test_the_scale_bar_is_as_long_as_it_says(shape, spacing, length, millimetres):
    picture = painted(shape, caption=Caption((), spacing, legend=False))
    bars = (picture == 255).all(axis=2)
    # The longest white run is the bar: letters are short.
    longest = max(
        (
            len(run)
            for row in bars[picture.shape[0] // 2 :]
            for run in "".join(map("01".__getitem__, row.astype(int))).split("0")
        ),
        default=0,
    )
    assert longest == length
    scale = picture.shape[1] / shape[1]
    assert longest * spacing / scale == pytest.approx(millimetres, abs=spacing / scale)


def test_the_unit_of_the_scale_bar_is_written_and_pixels_are_counted_where_no_spacing_is_known():
    at_detector, in_patient, unknown = (
        painted((256, 256), caption=Caption((), spacing, unit, legend=False))
        for spacing, unit in ((1.0, "mm at detector"), (1.0, "mm"), (None, "mm"))
    )
    assert changed(at_detector, in_patient)[200:, 110:].any()
    assert changed(unknown, in_patient)[200:, 110:].any()
    assert not changed(unknown, in_patient)[:, :105].any()  # the bar itself: 100 of each


def test_annotation_is_the_same_on_every_slice():
    painter = Painter((217, 181), CAPTION)
    rng = np.random.default_rng(1)
    first, second = (painter.paint(rng.integers(0, 255, (217, 181)).astype(np.uint8), None) for _ in range(2))
    same = (first == second).all(axis=2)
    assert same[4:17, 4:50].all()
    assert same[60:160, 20:140].mean() < 0.1


@pytest.mark.parametrize(
    "shape",
    [(217, 181), (256, 256), (181, 513), (640, 200), (64, 52), (31, 33), (9, 700), (3000, 2400), (1, 1)],
)
def test_text_is_written_and_never_covers_the_middle(shape):
    caption = Caption(("a-model-with-a-very-long-name-indeed 12.34.56", "speaks for: " + "very " * 40), 1.0)
    written, bare = painted(shape, caption=caption), painted(shape, caption=Caption((), None, legend=False))
    rows, columns = written.shape[:2]
    assert min(rows, columns) >= 160
    text = changed(written, bare)
    assert text[: rows // 3].sum() > 100
    assert not text[2 * rows // 5 : 3 * rows // 5, : columns - 40].any()
    # The notice is there whatever the title is.
    notice = written[rows - rows // 3 :].max(axis=2) > 200
    assert notice.sum() > 100


def test_the_notice_is_on_every_picture():
    # It is white on black in the lower left corner, over whatever the slice holds.
    for value in (0, 255):
        corner = painted((256, 256), value=value)[-16:-4, 4:200]
        assert (corner > 180).mean() > 0.05
        assert (corner < 50).mean() > 0.5


def test_a_box_is_drawn_at_its_edges_with_its_text_beside_it():
    box = PictureBox(60.0, 80.0, 100.0, 130.0, "1 nodule 0.87")
    with_box, without = painted(boxes=(box,)), painted()
    rim = np.argwhere((with_box == BOX_COLOUR).all(axis=2))
    assert rim.min(axis=0)[1] == 80
    assert rim.max(axis=0).tolist() == [99, 129]
    new = changed(with_box, without)
    assert not new[63:97, 83:127].any()  # what is inside is seen
    assert new[43:57, 80:150].any()  # the text above
    assert not new[104:, :].any()


@pytest.mark.parametrize(
    "box", [(0, 0, 20, 20), (0, 150, 200, 200), (180, 170, 200, 200), (-5, -5, 300, 300), (90, 90, 91, 91)]
)
def test_boxes_at_the_rim_are_drawn(box):
    picture = painted(boxes=(PictureBox(*box, "12 a long name of a finding 0.5"),))
    assert (picture == BOX_COLOUR).all(axis=2).sum() > 3


def test_boxes_move_with_a_slice_that_is_drawn_larger_or_padded():
    picture = painted((40, 40), boxes=(PictureBox(10, 20, 20, 30, ""),))
    rim = np.argwhere((picture == BOX_COLOUR).all(axis=2))
    assert (rim.min(axis=0).tolist(), rim.max(axis=0).tolist()) == ([40, 80], [79, 119])
    narrow = painted((40, 400), boxes=(PictureBox(10, 20, 20, 30, ""),))
    assert narrow.shape == (160, 1200, 3)
    rim = np.argwhere((narrow == BOX_COLOUR).all(axis=2))
    assert (rim.min(axis=0).tolist(), rim.max(axis=0).tolist()) == ([50, 60], [79, 89])
