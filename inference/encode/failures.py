"""What a library raises while an object is written becomes one error of ours."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from dicom_node.domain.errors import EncodingFailed

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def writing(what: str) -> Iterator[None]:
    """Raise `EncodingFailed` for what goes wrong inside; `what` names the object or model.

    Raises
    ------
    EncodingFailed
        Without the library's text, which may hold values of a data set: only its type goes on.
    """
    try:
        yield
    except (ValueError, TypeError, AttributeError, KeyError, IndexError, OverflowError) as exc:
        raise EncodingFailed(
            f"{what} cannot be written ({type(exc).__name__});"
            " look at the prediction's codes and at the source's attributes"
        ) from exc
