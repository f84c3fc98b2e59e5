"""The tests' generator of burned-in text and their makers of images, for benchmarks."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "tests" / "support"))

from burned_pictures import draw
from pixel_objects import as_image, clean

__all__ = ["as_image", "clean", "draw"]
