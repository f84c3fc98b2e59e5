"""Real archives over DIMSE, and retrievals that arrive at the node's own server."""

import io

import pytest
from archive_bench import GET, MOVE, Taken, archive_of, intake_of, strange, strange_archive, study
from ports import take_port
from pydicom import dcmread
from query_archives import DcmtkArchive
from real_orthanc import RealOrthanc, require_orthanc

from dicom_node.dimse.association import Address
from dicom_node.domain.pull import StudyQuery

__all__ = ["strange", "strange_archive"]

pytestmark = pytest.mark.integration
#: Where the real archives move to.
NODE_PORT = take_port()


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory):
    require_orthanc()
    node = {"AET": "NODE", "Host": "127.0.0.1", "Port": NODE_PORT}
    running = RealOrthanc(tmp_path_factory.mktemp("orthanc"), {"DicomModalities": {"node": node}})
    running.upload(study(11) + study(12))
    running.address = Address("127.0.0.1", running.dimse_port, running.ae_title, "NODE", timeout_s=10)
    yield running
    running.discard()


@pytest.fixture(scope="module")
def dcmqrscp(tmp_path_factory):
    running = DcmtkArchive(tmp_path_factory.mktemp("dcmqrscp"), move_to=("NODE", NODE_PORT))
    running.load(study(11) + study(12))
    yield running
    running.stop()


@pytest.fixture(params=["orthanc", "dcmqrscp"])
def real(request):
    return request.getfixturevalue(request.param)


def test_real_archives_are_searched_and_counted(real):
    archive = archive_of(real, GET)
    assert archive.find_studies(StudyQuery(accession_number="ACC11")) == ["2.25.11"]
    assert archive.find_studies(StudyQuery(patient_id="P12")) == ["2.25.12"]
    assert archive.find_studies(StudyQuery(study_instance_uid="2.25.11")) == ["2.25.11"]
    assert archive.find_studies(StudyQuery(study_instance_uid="2.25.99")) == []
    assert archive.count("2.25.11") == 6
    assert archive.count("2.25.99") is None
    listed = archive.instances("2.25.12")
    assert sorted(i.sop_instance_uid for i in listed) == sorted(d.SOPInstanceUID for d in study(12))


def test_study_is_got_from_real_archives_as_it_is_stored(real):
    archive = archive_of(real, GET)
    listed = archive.instances("2.25.11")
    taken = Taken(listed)
    archive.retrieve("2.25.11", listed, taken)
    assert sorted(taken.streams) == sorted(d.SOPInstanceUID for d in study(11))
    for uid, data in taken.streams.items():
        ds = dcmread(io.BytesIO(data))
        assert (ds.SOPInstanceUID, ds.StudyInstanceUID) == (uid, "2.25.11")


@pytest.fixture
def moving(start_node, strange):
    """A function that starts an archive which moves to a node: (it, how the node calls it, its intake)."""
    node = start_node()

    def start(series, **options):
        pacs = strange(series, move_to=node.port)
        archive = archive_of(pacs, MOVE, **options)
        return pacs, archive, lambda listed, expected: intake_of(node, 11, listed, expected)

    return start


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


def test_large_instance_is_got_into_the_spool(start_node, strange):
    node = start_node()
    pacs = strange(study(11, series=1, instances=2, rows=1200))
    archive = archive_of(pacs)
    listed = archive.instances("2.25.11")
    intake = intake_of(node, 11, listed, 2)
    archive.retrieve("2.25.11", listed, intake)
    assert intake.short == 0
    assert sorted(dcmread(io.BytesIO(data)).SOPInstanceUID for data in node.stored) == [
        "2.25.11.1.1",
        "2.25.11.1.2",
    ]


def test_wrong_count_of_a_move_does_not_count(moving):
    pacs, archive, intake_for = moving(study(11, series=1))
    listed = archive.instances("2.25.11")
    pacs.series.pop("2.25.11.1.2")  # listed, and gone when it is asked for
    intake = intake_for(listed, 3)
    archive.retrieve("2.25.11", listed, intake)
    assert intake.short == 1
    assert intake.look() == 2


def test_study_is_moved_to_the_node_by_real_archives(start_node, real):
    node = start_node(port=NODE_PORT)
    archive = archive_of(real, MOVE)
    listed = archive.instances("2.25.12")
    intake = intake_of(node, 12, listed, 6)
    archive.retrieve("2.25.12", listed, intake)
    assert intake.short == 0
    assert len(node.stored) == 6
