import threading

import pytest

from dicom_node.domain.errors import StorageFailure
from dicom_node.domain.instance import StoreOutcome
from dicom_node.pipeline.tally import ArrivalTally


class Ledger:
    def __init__(self):
        self.written = threading.Event()
        self.calls = []
        self.failures = 0

    def count_arrivals(self, repeats, refusals):
        if self.failures:
            self.failures -= 1
            raise StorageFailure("no database")
        self.calls.append(({study: dict(counts) for study, counts in repeats.items()}, dict(refusals)))
        self.written.set()


@pytest.fixture
def ledger():
    return Ledger()


def test_counts_are_written_together_after_a_while(ledger):
    tally = ArrivalTally(ledger, write_after_s=0.05)
    for outcome in (
        StoreOutcome.DUPLICATE,
        StoreOutcome.DUPLICATE,
        StoreOutcome.CONFLICT,
        StoreOutcome.STORED,
    ):
        tally.arrived("study", outcome)
    tally.refused("dimse:CT", "out-of-resources")
    assert ledger.calls == []
    assert ledger.written.wait(10)
    assert ledger.calls == [
        (
            {"study": {StoreOutcome.DUPLICATE: 2, StoreOutcome.CONFLICT: 1}},
            {("dimse:CT", "out-of-resources"): 1},
        )
    ]


def test_what_is_new_starts_nothing(ledger):
    before = threading.active_count()
    tally = ArrivalTally(ledger, write_after_s=3600)
    tally.arrived("study", StoreOutcome.STORED)
    assert threading.active_count() == before
    tally.close()
    assert ledger.calls == [({}, {})]


def test_counts_of_a_failed_writing_wait_for_the_next(ledger):
    ledger.failures = 1
    tally = ArrivalTally(ledger, write_after_s=3600)
    tally.refused("stow", "invalid-instance")
    tally.write()
    tally.refused("stow", "invalid-instance")
    tally.close()
    assert ledger.calls == [({}, {("stow", "invalid-instance"): 2})]
