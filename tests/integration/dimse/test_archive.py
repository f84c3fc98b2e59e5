"""An archive over DIMSE that misbehaves."""

import json
import ssl
import time
from dataclasses import replace
from datetime import date

import pytest
import yaml
from archive_bench import MOVE, Taken, archive_of, fetch, strange, strange_archive, study, uids
from processes import eventually
from query_archives import StrangeArchive
from typer.testing import CliRunner

from dicom_node.cli.main import app
from dicom_node.dimse.association import Address, Timeouts
from dicom_node.dimse.tls import TlsFiles, TlsPeer
from dicom_node.domain.errors import ArchiveFailed, ArchiveRefused, OutOfResources, StorageFailure
from dicom_node.domain.pull import StudyQuery

__all__ = ["strange", "strange_archive"]

pytestmark = pytest.mark.integration


def test_administrator_sees_what_an_archive_has(strange, tmp_path):
    series = study(11) + study(12)
    for ds in series:
        ds.PatientName, ds.StudyDescription = "Müller^[bold]Ä", "Kopf"
        ds.SpecificCharacterSet = "ISO_IR 192"
    pacs = strange(series)
    peer = {"name": "pacs", "ae_title": pacs.ae_title, "host": "127.0.0.1", "port": pacs.port}
    configuration = tmp_path / "node.yaml"
    configuration.write_text(yaml.safe_dump({"dimse": {"peers": [peer]}}), encoding="utf-8")
    ask = ["find", "--from", "pacs", "--config", str(configuration)]
    done = CliRunner().invoke(app, [*ask, "--accession", "ACC12", "--json"])
    assert done.exit_code == 0, done.output
    (found,) = json.loads(done.stdout)
    assert (found["study"], found["instances"], found["description"]) == ("2.25.12", "6", "Kopf")
    done = CliRunner().invoke(app, [*ask, "--patient", "P11"], env={"COLUMNS": "200"})
    assert "[bold]" in done.stdout
    assert "no study matches" in CliRunner().invoke(app, [*ask, "--patient", "P99"]).stdout
    assert CliRunner().invoke(app, ask).exit_code == 2


class Stop(Exception):
    """The pull is cancelled."""


def test_archive_that_ignores_a_key_does_not_widen_the_query(strange):
    pacs = strange(study(11) + study(12))
    for ds in pacs.series.values():
        ds.AccessionNumber = "ACC11"  # matches; and yet its answers are looked at
    pacs.ignores_keys = True
    archive = archive_of(pacs)
    assert archive.find_studies(StudyQuery(patient_id="P12")) == ["2.25.12"]
    assert archive.find_studies(StudyQuery(since=date(2026, 1, 12))) == ["2.25.12"]
    assert archive.find_studies(StudyQuery(since=date(2026, 1, 11), until=date(2026, 1, 11))) == ["2.25.11"]
    with pytest.raises(ArchiveRefused, match="leave out"):
        archive.find_studies(StudyQuery(patient_id="P*"))


def test_count_falls_back_to_series_and_instances(strange):
    pacs = strange(study(11))
    pacs.counts = {"2.25.11": None}
    assert archive_of(pacs).count("2.25.11") == 6
    assert pacs.asked["IMAGE"] == 2
    pacs.counts = {"2.25.11": 77}
    assert archive_of(pacs).count("2.25.11") == 77


@pytest.mark.parametrize("lists", [{"STUDY"}, {"STUDY", "SERIES"}])
def test_archive_that_lists_no_instances_gives_the_whole_study(strange, lists):
    pacs = strange(study(11))
    pacs.lists = lists
    archive = archive_of(pacs)
    assert archive.instances("2.25.11") == ()
    assert archive.count("2.25.11") == 6
    taken, failure = fetch(archive, 11)
    assert failure is None
    assert set(taken.streams) == uids(11)


def test_one_instance_that_cannot_be_sent_does_not_keep_back_the_others(strange):
    pacs = strange(study(11))
    pacs.unable = {"2.25.11.2.2"}
    taken, _ = fetch(archive_of(pacs), 11)
    assert set(taken.streams) == uids(11) - pacs.unable
    assert pacs.asked["GET STUDY"] == 1
    assert 1 <= pacs.asked["GET IMAGE"] <= 3


def test_only_what_is_missing_is_asked_for(strange):
    pacs = strange(study(11, series=2, instances=5))
    archive = archive_of(pacs)
    listed = archive.instances("2.25.11")
    wanted = [
        item for item in listed if item.sop_instance_uid in {"2.25.11.1.1", "2.25.11.1.3", "2.25.11.2.2"}
    ]
    taken = Taken(wanted)
    archive.retrieve("2.25.11", wanted, taken)
    assert set(taken.streams) == {"2.25.11.1.1", "2.25.11.1.3", "2.25.11.2.2"}
    assert pacs.asked["GET STUDY"] == 0


def test_archive_that_knows_no_lists_is_asked_one_by_one(strange):
    pacs = strange(study(11, series=1, instances=5))
    pacs.ignores_lists = True
    archive = archive_of(pacs)
    wanted = archive.instances("2.25.11")[:2]
    taken = Taken(wanted)
    archive.retrieve("2.25.11", wanted, taken)
    assert set(taken.streams) == {"2.25.11.1.1", "2.25.11.1.2"}
    assert pacs.asked["GET IMAGE"] == 3


def test_instance_of_another_study_is_not_taken(strange):
    pacs = strange(study(11))
    pacs.extra = study(12)
    taken, failure = fetch(archive_of(pacs), 11)
    assert failure is None
    assert set(taken.streams) == uids(11)


def test_large_instance_is_stored_while_it_arrives_and_one_of_another_study_is_not(strange):
    pacs = strange(study(11, series=1, instances=1, rows=1200) + study(11, series=2, instances=1)[1:])
    pacs.extra = study(12, series=1, instances=1, rows=1200)
    taken, failure = fetch(archive_of(pacs), 11)
    assert failure is None
    assert set(taken.streams) == {"2.25.11.1.1", "2.25.11.2.1"}
    assert taken.largest > 2 * 1200 * 1200
    assert [arrival.abandoned for arrival in taken.begun] == [False, True]


def test_large_instance_that_does_not_come_whole_leaves_nothing_and_is_asked_for_again(strange):
    pacs = strange(study(11, series=1, instances=1, rows=4000))

    class Dying(Taken):
        def begin(self):
            arrival = super().begin()
            if len(self.begun) == 1:
                pacs.hang_up()
            return arrival

    taken, failure = fetch(archive_of(pacs), 11, Dying([]))
    assert failure is None
    assert set(taken.streams) == uids(11, series=1, instances=1)
    assert [arrival.abandoned for arrival in taken.begun] == [True, False]


def test_archive_that_dies_in_the_middle_is_called_again_for_the_rest(strange):
    pacs = strange(study(11, series=1, instances=6))
    died = []

    def die(number, event):
        if number == 4 and not died:
            died.append(number)
            event.assoc.dul.socket.close()

    pacs.before_send = die
    taken, failure = fetch(archive_of(pacs), 11)
    assert failure is None
    assert set(taken.streams) == uids(11, series=1, instances=6)
    assert died


def test_archive_that_never_answers_is_given_up(strange):
    pacs = strange(study(11))
    pacs.address = replace(pacs.address, timeouts=Timeouts(dimse_s=0.4))
    pacs.silent = True
    with pytest.raises(ArchiveFailed, match=r"does not answer for 0\.4 s"):
        archive_of(pacs, attempts=2).count("2.25.11")
    pacs.silent = False
    eventually(lambda: pacs.asked["STUDY"] == 2, 20, "the second question")


@pytest.mark.parametrize(
    ("status", "error", "text"),
    [
        (0xA700, ArchiveFailed, "out of resources"),
        (0xC001, ArchiveRefused, "unable"),
        (0x0124, ArchiveRefused, "authorised"),
    ],
)
def test_failed_query_says_what_the_archive_says(strange, status, error, text):
    pacs = strange(study(11))
    pacs.find_status = status
    with pytest.raises(error, match=f"pacs: answers C-FIND with {status:04X} .*{text}"):
        archive_of(pacs).find_studies(StudyQuery(patient_id="P11"))


def test_archive_that_is_not_there_or_offers_nothing_is_said_so(strange, free_port):
    pacs = strange(study(11))
    there, pacs.address = pacs.address, Address("127.0.0.1", free_port(), "PACS")
    with pytest.raises(ArchiveFailed, match="pacs: PACS@127"):
        archive_of(pacs, attempts=1).count("1.2")
    pacs.address = there
    listed = archive_of(pacs).instances("2.25.11")
    with pytest.raises(ArchiveRefused, match="move destination unknown: add the node's AE title"):
        archive_of(pacs, MOVE).retrieve("2.25.11", listed, Taken(listed))


def test_what_cannot_be_stored_is_answered_so_and_asked_for_again(strange):
    pacs = strange(study(11, series=1))
    taken = Taken([])
    taken.refuse = {"2.25.11.1.2": [StorageFailure("the index does not answer")]}
    fetch(archive_of(pacs), 11, taken)
    assert set(taken.streams) == uids(11, series=1)
    assert pacs.asked["GET IMAGE"] == 1


def test_full_disk_ends_the_retrieval(strange):
    pacs = strange(study(11, series=1))

    class Full(Taken):
        def take(self, uid, stream):
            raise OutOfResources("free disk space")

    taken, failure = fetch(archive_of(pacs), 11, Full([]))
    assert isinstance(failure, OutOfResources)
    assert taken.streams == {}


def test_cancelled_retrieval_is_cancelled_at_the_archive_too(strange):
    pacs = strange(study(11, series=1, instances=40))
    pacs.before_send = lambda number, _event: time.sleep(0.05 if number > 2 else 0)
    taken = Taken([])

    def check():
        if len(taken.streams) >= 2:
            raise Stop

    taken.check = check
    with pytest.raises(Stop):
        fetch(archive_of(pacs), 11, taken)
    assert pacs.cancelled == 1
    assert len(taken.streams) < 40


def test_study_is_got_over_tls(authority, server_certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server_certificate.certificate_file, server_certificate.key_file)
    pacs = StrangeArchive(study(11, series=1), ssl_context=context)
    try:
        files = TlsFiles(authorities=authority.certificate_file)
        pacs.address = replace(pacs.address, tls=TlsPeer("pacs", files))
        taken, failure = fetch(archive_of(pacs), 11)
    finally:
        pacs.stop()
    assert failure is None
    assert set(taken.streams) == uids(11, series=1)


def test_every_storage_sop_class_is_proposed_where_the_archive_names_none(strange):
    series = study(11, series=1, instances=2)
    pacs = strange(series)
    pacs.lists = {"STUDY"}
    taken, failure = fetch(archive_of(pacs), 11)
    assert failure is None
    assert set(taken.streams) == uids(11, series=1, instances=2)
