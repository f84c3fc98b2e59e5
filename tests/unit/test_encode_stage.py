"""The encode stage: results are written as they come, and few are in memory."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from dicom_node.pipeline.deidentify import WRITERS
from dicom_node.pipeline.encode import earlier_results, write_each


def test_results_are_written_in_order_while_few_wait():
    made, written, lead = 0, [], []
    lock = threading.Lock()

    def results():
        nonlocal made
        for number in range(50):
            made += 1
            with lock:
                lead.append(made - len(written))
            yield number

    def write(number):
        with lock:
            written.append(number)
        return number

    with ThreadPoolExecutor(WRITERS) as pool:
        entries = list(write_each(pool, write, results()))
    assert entries == list(range(50))
    assert max(lead) <= 2 * WRITERS + 2


def test_a_write_that_fails_ends_the_stage():
    def fail(number):
        raise OSError("disk")

    with ThreadPoolExecutor(1) as pool, pytest.raises(OSError, match="disk"):
        list(write_each(pool, fail, iter(range(100))))


class _Index:
    def __init__(self, by_version):
        self.by_version = by_version

    def results(self, study_id, version):
        return self.by_version.get(version, ())


class _Services:
    def __init__(self, **by_version):
        self.index = _Index({int(name[1:]): found for name, found in by_version.items()})


def test_earlier_results_are_those_of_the_last_version_that_had_some():
    services = _Services(v1=("a",), v2=("b",), v4=("d",))
    assert earlier_results(services, "s", 4) == ("b",)
    assert earlier_results(services, "s", 1) == ()
