"""What is too large to be decoded."""

from __future__ import annotations

from dicom_node.domain.errors import InvalidInstance


def check_size(rows: int, columns: int, max_pixels: int) -> None:
    """Refuse an image by its size, before its pixels are looked at.

    Raises
    ------
    InvalidInstance
    """
    if rows < 1 or columns < 1:
        raise InvalidInstance("the image has no pixels")
    if rows * columns > max_pixels:
        raise InvalidInstance(
            f"the image has more than the {max_pixels / 1e6:g} megapixels that are taken; send a smaller one"
        )
