"""Every key that a manifest may write for a network stands in docs/model-tasks.md, and no other."""

import re
from pathlib import Path

from inference.preprocess.grid import _KEYS as GRID
from inference.tasks.detector_output import _KEYS as DETECTOR
from inference.tasks.detector_output import LAYOUTS
from inference.tasks.rules import _SHARED as SHARED

TEXT = (Path(__file__).parents[4] / "docs" / "model-tasks.md").read_text()
PICTURE = {"channels", "size", "fit", "foreground_crop", "intensity", "mean", "std"}
LABELS = {"activation", "threshold", "keep_largest", "fill_holes", "min_volume_ml", "output"}


def keys(section):
    """What stands in the first column of the tables of a section."""
    rows = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    return {key for row in rows for key in re.findall(r"`(\w+)`", row)}


def test_tables_hold_the_keys_of_the_code():
    before, _, after = TEXT.partition("## What comes out")
    assert keys(before) == PICTURE | set(GRID) | set(SHARED)
    classification, _, rest = after.partition("**Segmentation**")
    segmentation, _, detection = rest.partition("**Detection**")
    assert keys(classification) == {"activation", "output"}
    assert keys(segmentation) == LABELS
    assert keys(detection) == set(DETECTOR)
    assert all(f"`{layout}`" in detection for layout in LAYOUTS)
