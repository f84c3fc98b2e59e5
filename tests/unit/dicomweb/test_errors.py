from __future__ import annotations

import json

import pytest

from dicom_node.domain import errors
from dicomweb.errors import RETRY_AFTER_S, map_error, mapped_types, problem_of, problem_response


def tree(kind: type[errors.NodeError]) -> set[type[errors.NodeError]]:
    found = {kind}
    for sub in kind.__subclasses__():
        if sub.__module__ == errors.__name__:
            found |= tree(sub)
    return found


def test_every_error_of_the_node_has_a_status_and_a_failure_reason_of_its_own() -> None:
    assert mapped_types() == tree(errors.NodeError)


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (errors.InvalidInstance, 400, 0xC000),
        (errors.SopClassMismatch, 400, 0xA900),
        (errors.UnsupportedSopClass, 415, 0x0122),
        (errors.UnsupportedTransferSyntax, 415, 0xC122),
        (errors.OutOfResources, 503, 0xA700),
        (errors.StorageFailure, 503, 0x0110),
        (errors.NotFound, 404, 0x0110),
        (errors.Gone, 410, 0x0110),
        (errors.NotAuthorised, 403, 0x0124),
    ],
)
def test_errors_map_as_the_conformance_page_says(
    error: type[errors.NodeError], status: int, reason: int
) -> None:
    mapped = map_error(error("x"))
    assert (mapped.status, mapped.failure_reason) == (status, reason)


def test_subclass_of_a_leaf_maps_like_the_leaf() -> None:
    class Special(errors.Gone):
        pass

    assert map_error(Special("x")).status == 410


def test_problem_document_has_the_members_of_rfc_9457() -> None:
    response = problem_response(problem_of(errors.OutOfResources("free some disk")))
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["retry-after"] == str(RETRY_AFTER_S)
    assert json.loads(bytes(response.body)) == {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "free some disk",
        "code": "out-of-resources",
    }
