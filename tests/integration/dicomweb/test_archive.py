"""Fetching from archives that misbehave (PS3.18 §10.4 and §10.6 as a client)."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import Response
from misbehaving_archive import MisbehavingArchive

from dicom_node.domain.errors import ArchiveFailed, ArchiveRefused, ConfigurationError, InvalidInstance
from dicom_node.domain.pull import StudyQuery
from dicomweb.client import search
from dicomweb.client.archive import DicomwebArchive
from dicomweb.client.connection import connect
from dicomweb.client.retry import Retry
from dicomweb.part10 import read_identity

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration
STUDY = "2.25.10"


@pytest.fixture
def pacs(support: Any) -> MisbehavingArchive:
    series = {"2.25.20": 3, "2.25.21": 4}
    slices = [
        support.slice_dataset(n, series=uid) for uid, count in series.items() for n in range(1, count + 1)
    ]
    other = support.slice_dataset(
        1, study="2.25.11", series="2.25.22", StudyDate="20230506", AccessionNumber="B"
    )
    return MisbehavingArchive([*slices, other])


class Fetching:
    """An archive behind a real server, and what was fetched from it."""

    def __init__(self, url: str) -> None:
        self.waits: list[float] = []
        self.archive = DicomwebArchive("pacs", url, retry=Retry(3, 0.5, self.waits.append), timeout_s=10)
        self.got: list[str] = []

    def fetch(self) -> None:
        wanted = self.archive.instances(STUDY)

        def missing() -> list[Any]:
            return [item for item in wanted if item.sop_instance_uid not in self.got]

        for uid, stream in self.archive.streams(wanted, missing):
            with stream:
                assert read_identity(stream).sop_instance_uid == uid
                self.got.append(uid)


@pytest.fixture
def fetching(pacs: MisbehavingArchive, support: Any) -> Iterator[Fetching]:
    with support.Served(pacs.app) as server:
        yield Fetching(server.url)


def all_uids(pacs: MisbehavingArchive) -> list[str]:
    return sorted(uid for uid, ds in pacs.slices.items() if ds.StudyInstanceUID == STUDY)


def test_study_comes_in_one_request_as_it_is_stored(pacs: MisbehavingArchive, fetching: Fetching) -> None:
    fetching.fetch()
    assert sorted(fetching.got) == all_uids(pacs)
    assert pacs.asked == {f"studies/{STUDY}/instances": 2, f"studies/{STUDY}": 1}
    assert "transfer-syntax=*" in pacs.accepted[-1]


def test_node_fetches_from_a_node(node: Any, support: Any) -> None:
    for series, number in (("2.25.20", 1), ("2.25.20", 2), ("2.25.21", 1)):
        node.publish(support.slice_dataset(number, series=series))
    with support.Served(node.app) as server:
        fetching = Fetching(server.url)
        assert fetching.archive.find_studies(StudyQuery(patient_id="P-1")) == [STUDY]
        fetching.fetch()
    assert sorted(fetching.got) == ["2.25.20.1", "2.25.20.2", "2.25.21.1"]


@pytest.mark.parametrize("ignores", [False, True])
def test_long_lists_are_read_page_by_page(
    pacs: MisbehavingArchive, fetching: Fetching, monkeypatch: pytest.MonkeyPatch, ignores: bool
) -> None:
    monkeypatch.setattr(search, "PAGE", 2 if not ignores else 100)
    pacs.ignores_offset = ignores
    assert sorted(i.sop_instance_uid for i in fetching.archive.instances(STUDY)) == all_uids(pacs)


@pytest.mark.parametrize(("told", "count"), [(99, 99), ("12", 12), (None, 7), ("many", 7), (0, 7)])
def test_study_is_counted_as_the_service_says_else_by_its_list(
    pacs: MisbehavingArchive, fetching: Fetching, told: Any, count: int
) -> None:
    pacs.counts = told
    assert fetching.archive.count(STUDY) == count
    assert fetching.archive.count("2.25.404") is None


def test_instances_are_listed_by_series_where_the_study_has_no_list(
    pacs: MisbehavingArchive, fetching: Fetching
) -> None:
    pacs.faults[f"studies/{STUDY}/instances"] = [Response(status_code=404)]
    assert sorted(i.sop_instance_uid for i in fetching.archive.instances(STUDY)) == all_uids(pacs)


@pytest.mark.parametrize(
    "fault",
    [
        "drop",
        "drop:2",
        Response(status_code=500),
        Response(b"<html>", 200, media_type="text/html"),
        Response(b"--x", 200, media_type='multipart/related; type="application/dicom"; boundary=edge'),
        Response(status_code=413),
        Response(status_code=404),
    ],
)
def test_study_that_cannot_be_had_at_once_comes_series_by_series(
    pacs: MisbehavingArchive, fetching: Fetching, fault: Any
) -> None:
    pacs.faults[f"studies/{STUDY}"] = [fault]
    fetching.fetch()
    assert sorted(set(fetching.got)) == all_uids(pacs)
    assert len(fetching.got) == len(all_uids(pacs))


def test_series_that_cannot_be_had_comes_instance_by_instance_with_retries(
    pacs: MisbehavingArchive, fetching: Fetching
) -> None:
    pacs.faults[f"studies/{STUDY}"] = [Response(status_code=501)]
    pacs.faults[f"studies/{STUDY}/series/2.25.20"] = ["drop"]
    instance = f"studies/{STUDY}/series/2.25.20/instances/2.25.20.2"
    pacs.faults[instance] = [Response(status_code=500), "drop"]
    fetching.fetch()
    assert sorted(fetching.got) == all_uids(pacs)
    assert pacs.asked[instance] == 3
    assert fetching.waits == [0.5, 0.5, 1.0]


def test_archive_that_asks_for_a_pause_gets_it(pacs: MisbehavingArchive, fetching: Fetching) -> None:
    pacs.faults[f"studies/{STUDY}/instances"] = [Response(status_code=503, headers={"Retry-After": "9"})]
    fetching.fetch()
    assert fetching.waits == [9.0]
    assert sorted(fetching.got) == all_uids(pacs)


def test_archive_that_does_not_know_any_transfer_syntax_is_asked_without(
    pacs: MisbehavingArchive, fetching: Fetching
) -> None:
    pacs.faults[f"studies/{STUDY}"] = [Response(status_code=406)]
    fetching.fetch()
    assert pacs.asked[f"studies/{STUDY}"] == 2
    assert "transfer-syntax" not in pacs.accepted[-1]


def test_instance_that_never_comes_is_an_error_after_all_others(
    pacs: MisbehavingArchive, fetching: Fetching
) -> None:
    instance = f"studies/{STUDY}/series/2.25.20/instances/2.25.20.2"
    pacs.faults |= {f"studies/{STUDY}": ["drop"], f"studies/{STUDY}/series/2.25.20": ["drop:1"]}
    pacs.faults[instance] = [Response(status_code=404)]
    with pytest.raises(ArchiveRefused, match="pacs: answered 404"):
        fetching.fetch()
    assert len(fetching.got) == len(all_uids(pacs)) - 1
    assert pacs.asked[instance] == 1


def test_instances_of_another_study_are_dropped(
    pacs: MisbehavingArchive, fetching: Fetching, support: Any
) -> None:
    stray = support.slice_dataset(1, study="2.25.99", series="2.25.20")
    pacs.bytes["2.25.20.1"] = support.to_bytes(stray)
    fetching.fetch()
    assert "2.25.20.1" not in fetching.got


def test_single_part_answer_is_taken(pacs: MisbehavingArchive, fetching: Fetching) -> None:
    pacs.faults[f"studies/{STUDY}"] = [Response(status_code=404)]
    pacs.faults[f"studies/{STUDY}/series/2.25.20"] = [
        Response(pacs.bytes["2.25.20.1"], media_type="application/dicom")
    ]
    fetching.fetch()
    assert sorted(fetching.got) == all_uids(pacs)


@pytest.mark.parametrize("answer", [b"{", b"{}", b'"x"', b"\xff"])
def test_list_that_is_no_list_is_tried_again_and_then_an_error(
    pacs: MisbehavingArchive, fetching: Fetching, answer: bytes
) -> None:
    pacs.faults["studies"] = [Response(answer)] * 3
    with pytest.raises(ArchiveFailed):
        fetching.archive.find_studies(StudyQuery(patient_id="P-1"))
    assert pacs.asked["studies"] == 3


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (StudyQuery(study_instance_uid=STUDY), [STUDY]),
        (StudyQuery(accession_number="B"), ["2.25.11"]),
        (StudyQuery(patient_id="P-1"), [STUDY, "2.25.11"]),
        (StudyQuery(patient_id="P-1", since=date(2023, 6, 1)), [STUDY]),
        (StudyQuery(since=date(2023, 1, 1), until=date(2023, 12, 31)), ["2.25.11"]),
        (StudyQuery(patient_id="unknown"), []),
    ],
)
def test_studies_are_found_by_what_is_known_of_them(
    fetching: Fetching, query: StudyQuery, found: list[str]
) -> None:
    assert fetching.archive.find_studies(query) == found


def test_wildcards_are_no_way_to_fetch_everything(fetching: Fetching) -> None:
    with pytest.raises(InvalidInstance):
        fetching.archive.find_studies(StudyQuery(patient_id="*"))


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "nonsense", "http://", "http://host:port"])
def test_malformed_url_is_a_fault_of_the_configuration(url: str) -> None:
    with pytest.raises(ConfigurationError):
        connect(url)
