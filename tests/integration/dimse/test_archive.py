"""Archives over DIMSE: real ones, and one that misbehaves."""

import io
import time
from datetime import date

import pytest
from dimse_objects import make_instance
from pydicom import dcmread
from query_archives import DcmtkArchive, StrangeArchive
from real_orthanc import RealOrthanc, require_orthanc

from dicom_node.dimse.archive import DimseArchive, RetrieveWay
from dicom_node.dimse.association import Address
from dicom_node.domain.errors import (
    ArchiveFailed,
    ArchiveRefused,
    OutOfResources,
    StorageFailure,
)
from dicom_node.domain.pull import StudyQuery
from dicom_node.index.arrivals import SqlArrivals
from dicom_node.pipeline.pull_intake import StudyIntake

pytestmark = pytest.mark.integration
GET, MOVE = RetrieveWay.GET, RetrieveWay.MOVE


def study(number, *, series=2, instances=3, **elements):
    return [
        make_instance(
            StudyInstanceUID=f"2.25.{number}",
            SeriesInstanceUID=f"2.25.{number}.{s}",
            SOPInstanceUID=f"2.25.{number}.{s}.{n}",
            PatientID=f"P{number}",
            AccessionNumber=f"ACC{number}",
            StudyDate=f"202601{number:02}",
            StudyID="1",
            StudyTime="101500",
            SeriesNumber=s,
            InstanceNumber=n,
            **elements,
        )
        for s in range(1, series + 1)
        for n in range(1, instances + 1)
    ]


class Taken:
    """An `Intake` in memory."""

    def __init__(self, wanted):
        self.left = {item.sop_instance_uid: item for item in wanted}
        self.streams = {}
        self.refuse = {}
        self.check = lambda: None

    def missing(self):
        return self.left.values()

    def take(self, uid, stream):
        if self.refuse.get(uid):
            return self.refuse[uid].pop()
        self.streams[uid] = stream.read()
        self.left.pop(uid, None)
        return None

    def look(self):
        return len(self.streams)


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory):
    require_orthanc()
    running = RealOrthanc(tmp_path_factory.mktemp("orthanc"), {})
    running.upload(study(11) + study(12))
    running.address = Address("127.0.0.1", running.dimse_port, running.ae_title, "NODE", timeout_s=10)
    yield running
    running.discard()


@pytest.fixture(scope="module")
def dcmqrscp(tmp_path_factory):
    running = DcmtkArchive(tmp_path_factory.mktemp("dcmqrscp"))
    running.load(study(11) + study(12))
    yield running
    running.stop()


@pytest.fixture
def strange():
    running = []

    def start(series, **options):
        running.append(StrangeArchive(series, **options))
        return running[-1]

    yield start
    for archive in running:
        archive.stop()


@pytest.fixture(params=["orthanc", "dcmqrscp"])
def real(request):
    return request.getfixturevalue(request.param)


def test_real_archives_are_searched_and_counted(real):
    archive = DimseArchive("pacs", real.address, GET)
    assert archive.find_studies(StudyQuery(accession_number="ACC11")) == ["2.25.11"]
    assert archive.find_studies(StudyQuery(patient_id="P12")) == ["2.25.12"]
    assert archive.find_studies(StudyQuery(study_instance_uid="2.25.11")) == ["2.25.11"]
    assert archive.find_studies(StudyQuery(study_instance_uid="2.25.99")) == []
    assert archive.count("2.25.11") == 6
    assert archive.count("2.25.99") is None
    listed = archive.instances("2.25.12")
    assert sorted(i.sop_instance_uid for i in listed) == sorted(d.SOPInstanceUID for d in study(12))


def test_study_is_got_from_real_archives_as_it_is_stored(real):
    archive = DimseArchive("pacs", real.address, GET)
    listed = archive.instances("2.25.11")
    taken = Taken(listed)
    archive.retrieve("2.25.11", listed, taken)
    assert sorted(taken.streams) == sorted(d.SOPInstanceUID for d in study(11))
    for uid, data in taken.streams.items():
        ds = dcmread(io.BytesIO(data))
        assert (ds.SOPInstanceUID, ds.StudyInstanceUID) == (uid, "2.25.11")


class Stop(Exception):
    """The pull is cancelled."""


def archive_of(strange, way=GET, **options):
    options = {"attempts": 3, "first_s": 0.01, "settle_s": 0.5, **options}
    return DimseArchive("pacs", strange.address, way, **options)


def fetch(archive, number, taken=None):
    """What came of a study, and what ended it."""
    listed = archive.instances(f"2.25.{number}")
    taken = taken or Taken(listed)
    taken.left = {item.sop_instance_uid: item for item in listed}
    try:
        archive.retrieve(f"2.25.{number}", listed, taken)
    except (ArchiveFailed, ArchiveRefused, OutOfResources) as exc:
        return taken, exc
    return taken, None


def uids(number, **more):
    return {d.SOPInstanceUID for d in study(number, **more)}


def test_archive_that_ignores_a_key_does_not_widen_the_query(strange):
    pacs = strange(study(11) + study(12))
    for ds in pacs.series.values():
        ds.AccessionNumber = "ACC11"  # matches; and yet its answers are looked at
    pacs._named = lambda _asked: pacs.series.values()
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
    pacs.address = Address("127.0.0.1", pacs.port, pacs.ae_title, "NODE", timeout_s=0.4)
    pacs.silent = True
    with pytest.raises(ArchiveFailed, match=r"does not answer for 0\.4 s"):
        archive_of(pacs, attempts=2).count("2.25.11")
    assert pacs.asked["STUDY"] == 2
    pacs.silent = False


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
    nobody = DimseArchive("pacs", Address("127.0.0.1", free_port(), "PACS"), GET, attempts=1)
    with pytest.raises(ArchiveFailed, match="pacs: PACS@127"):
        nobody.count("1.2")
    pacs = strange(study(11))
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


def test_every_storage_sop_class_is_proposed_where_the_archive_names_none(strange):
    series = study(11, series=1, instances=2)
    pacs = strange(series)
    pacs.lists = {"STUDY"}
    taken, failure = fetch(archive_of(pacs), 11)
    assert failure is None
    assert set(taken.streams) == uids(11, series=1, instances=2)


@pytest.fixture
def moving(start_node, strange):
    """(archive, intake, number of its study) where the archive moves to a node's server."""
    node = start_node()

    def start(series, **options):
        pacs = strange(series, move_to=node.port)
        archive = archive_of(pacs, MOVE, **options)
        return pacs, archive, lambda listed, expected: intake_of(node, listed, expected)

    return start


def intake_of(node, listed, expected, check=lambda: None):
    return StudyIntake(
        "2.25.11",
        listed,
        expected,
        source="pull:pacs",
        receiver=None,
        arrivals=SqlArrivals(node.database),
        pseudonymizer=node.receiver._pseudonymizer,
        arrived=lambda _study, _count: None,
        check=check,
    )


def test_moved_study_is_seen_in_the_index(moving):
    pacs, archive, intake_for = moving(study(11) + study(12))
    listed = archive.instances("2.25.11")
    intake = intake_for(listed, 6)
    archive.retrieve("2.25.11", listed, intake)
    assert intake.short == 0
    assert intake.study_id is not None
    assert pacs.asked["MOVE STUDY"] == 1


def test_moved_study_that_is_only_counted_is_believed_when_it_is_here(moving):
    pacs, archive, intake_for = moving(study(11))
    pacs.lists = {"STUDY"}
    assert archive.instances("2.25.11") == ()
    intake = intake_for((), archive.count("2.25.11"))
    archive.retrieve("2.25.11", (), intake)
    assert intake.short == 0


def test_wrong_count_of_a_move_does_not_count(moving):
    pacs, archive, intake_for = moving(study(11, series=1))
    listed = archive.instances("2.25.11")
    pacs.series.pop("2.25.11.1.2")  # listed, and gone when it is asked for
    intake = intake_for(listed, 3)
    archive.retrieve("2.25.11", listed, intake)
    assert intake.short == 1
    assert intake.look() == 2


def test_orthanc_and_dcmqrscp_move_to_the_node(start_node, orthanc, tmp_path):
    node = start_node()
    address = {"AET": "NODE", "Host": "127.0.0.1", "Port": node.port}
    orthanc.http.put("/modalities/node", json=address).raise_for_status()
    dcmqrscp = DcmtkArchive(tmp_path / "dcmqrscp", move_to=("NODE", node.port))
    try:
        dcmqrscp.load(study(11))
        for pacs, number in ((dcmqrscp, 11), (orthanc, 12)):
            archive = DimseArchive("pacs", pacs.address, MOVE)
            listed = archive.instances(f"2.25.{number}")
            before = len(node.stored)
            archive.retrieve(f"2.25.{number}", listed, Watched(node, listed, before))
            assert len(node.stored) == before + 6
    finally:
        dcmqrscp.stop()


class Watched(Taken):
    """What arrives at a node."""

    def __init__(self, node, wanted, before):
        super().__init__(wanted)
        self._node, self._before = node, before

    def look(self):
        here = len(self._node.stored) - self._before
        if here == 6:
            self.left.clear()
        return here
