"""Every error of the node has an HTTP status."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dicom_node.domain import errors
from viewer.problems import status_of

if TYPE_CHECKING:
    from collections.abc import Iterator


def _leaves(kind: type[errors.NodeError]) -> Iterator[type[errors.NodeError]]:
    yield kind
    for below in kind.__subclasses__():
        if below.__module__ == errors.__name__:  # not those that another test's imports brought
            yield from _leaves(below)


@pytest.mark.parametrize("kind", list(_leaves(errors.NodeError)), ids=lambda k: k.__name__)
def test_error_has_a_status_of_its_branch(kind: type[errors.NodeError]) -> None:
    status = status_of(kind("x"))

    assert (status == 503) == issubclass(kind, errors.TransientError)
    assert status >= 400
