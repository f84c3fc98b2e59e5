"""Frames are looked at once, and again only where they differ; with finders that know what stands where."""

import numpy as np
import pytest

from anonymizer.errors import CannotVouch
from anonymizer.pixels.boxes import Box
from anonymizer.pixels.look import frame_numbers, look_at_frames, look_at_picture

WRITING = 250


class Finder:
    """Takes what is about as bright as `WRITING` for text; remembers how much it was shown."""

    def __init__(self):
        self.shown = 0

    def __call__(self, picture, near):
        self.shown += picture.shape[0] * picture.shape[1]
        ys, xs = np.nonzero((picture > WRITING - 12).all(2))
        return [Box(int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1)] if len(ys) else []


def frames(count, *texts, moving=False):
    """Frames (count, 256, 320, 3); each text is (x, y, first frame, last frame)."""
    made = np.full((count, 256, 320, 3), 30, np.uint8)
    if moving:
        made += np.arange(count, dtype=np.uint8)[:, None, None, None] * 20
    for x, y, first, last in texts:
        made[first : last + 1, y : y + 10, x : x + 40] = WRITING
    return made


def covered(found, made):
    rest = made.copy()
    for box, indices in found.items():
        for index in indices:
            rest[index, box.y0 : box.y1, box.x0 : box.x1] = 0
    return not (rest == WRITING).any()


def test_text_that_stands_still_is_read_once():
    finder = Finder()
    made = frames(12, (20, 20, 0, 11))
    found = look_at_frames(finder, lambda i: made[i], 12)
    assert found == {Box(20, 20, 60, 30): list(range(12))}
    assert finder.shown <= 6 * 256 * 320  # the first frame, and what stands still, each twice


@pytest.mark.parametrize("moving", [False, True])
@pytest.mark.parametrize("first", range(5))
def test_text_of_a_single_frame_is_found(first, moving):
    made = frames(5, (200, 200, first, first), (20, 20, 0, 4), moving=moving)
    found = look_at_frames(Finder(), lambda i: made[i], 5)
    assert covered(found, made)


def test_text_that_fades_in_is_found():
    """Each frame differs too little from the one before it."""
    made = frames(30)
    for index in range(30):
        made[index, 100:110, 100:140] = min(WRITING, 34 + 8 * index)
    found = look_at_frames(Finder(), lambda i: made[i], 30)
    assert covered(found, made)


def test_text_that_goes_is_not_blacked_out_long_after():
    made = frames(20, (20, 20, 0, 3), moving=False)
    found = look_at_frames(Finder(), lambda i: made[i], 20)
    assert covered(found, made)
    assert max(max(indices) for indices in found.values()) < 8


def test_text_is_searched_for_until_nothing_is_found():
    made = frames(1)[0]
    left = [Box(1, 1, 9, 9), Box(50, 50, 60, 60)]
    boxes = look_at_picture(lambda _picture, _near: [left.pop()] if left else [], made)
    assert boxes == [Box(50, 50, 60, 60), Box(1, 1, 9, 9)]


def test_what_is_found_again_and_again_is_refused():
    places = iter(Box(20 * i, 1, 20 * i + 9, 9) for i in range(10))
    with pytest.raises(CannotVouch) as refusal:
        look_at_picture(lambda _picture, _near: [next(places)], frames(1)[0])
    assert refusal.value.rule == "pixels-hold-text"


def test_what_is_found_where_nothing_is_left_is_let_pass():
    boxes = look_at_picture(lambda _picture, _near: [Box(1, 1, 9, 9)], frames(1)[0])
    assert boxes == [Box(1, 1, 9, 9)]


@pytest.mark.parametrize(
    ("indices", "text"), [([0, 1, 2, 3], "all"), ([2], "3"), ([0, 1, 3], "1-2,4"), ([1, 2, 3], "2-4")]
)
def test_frames_are_counted_from_one(indices, text):
    assert frame_numbers(indices, 4) == text
