"""The table from errors to DIMSE statuses."""

import pytest
from pynetdicom.status import STORAGE_SERVICE_CLASS_STATUS

from dicom_node.dimse.statuses import (
    STATUS_BY_ERROR,
    STATUS_BY_OUTCOME,
    describe,
    error_comment,
    is_stored,
    status_of_error,
    status_of_outcome,
)
from dicom_node.domain import errors
from dicom_node.domain.instance import StoreOutcome


def all_errors(base=errors.NodeError):
    for kind in base.__subclasses__():
        if kind.__module__ == errors.__name__:
            yield kind
            yield from all_errors(kind)


#: Every class that is raised: leaves, and `InvalidInstance`, which is raised itself too.
RAISED = [kind for kind in all_errors() if kind not in (errors.PermanentError, errors.TransientError)]


@pytest.mark.parametrize("kind", RAISED, ids=lambda kind: kind.code)
def test_every_error_has_a_failure_status_of_the_standard(kind):
    status = status_of_error(kind("what to do"))

    category, _meaning = STORAGE_SERVICE_CLASS_STATUS[status.code]
    assert category == "Failure"
    assert not status.is_success


def test_the_table_names_nothing_that_does_not_exist():
    assert set(STATUS_BY_ERROR) == set(RAISED)


def test_every_outcome_has_a_status():
    assert set(STATUS_BY_OUTCOME) == set(StoreOutcome)
    assert status_of_outcome(StoreOutcome.STORED).is_success
    assert status_of_outcome(StoreOutcome.DUPLICATE).is_success
    assert status_of_outcome(StoreOutcome.CONFLICT).code == 0x0111


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.OutOfResources, 0xA700),
        (errors.SopClassMismatch, 0xA900),
        (errors.InvalidInstance, 0xC000),
        (errors.UnsupportedSopClass, 0x0122),
        (errors.NotAuthorised, 0x0124),
        (errors.StorageFailure, 0x0110),
    ],
)
def test_the_statuses_are_those_of_the_conformance_targets(kind, code):
    assert status_of_error(kind("x")).code == code


def test_a_comment_is_a_line_that_fits_an_lo_value():
    assert error_comment("the first part; what to do") == "the first part"
    assert error_comment("a\\b\nc\tü") == "a b c"
    assert len(error_comment("x" * 200)) == 64


@pytest.mark.parametrize("code", [0x0000, 0xB000, 0xB006, 0xB007])
def test_success_and_warnings_count_as_stored(code):
    assert is_stored(code)


@pytest.mark.parametrize("code", [0x0110, 0x0111, 0x0122, 0x0124, 0xA700, 0xA900, 0xC000, 0xFE00, 0xFF00])
def test_failures_do_not_count_as_stored(code):
    assert not is_stored(code)
    assert describe(code).startswith(f"{code:04X} (")
