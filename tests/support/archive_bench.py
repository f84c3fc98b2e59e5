"""What tests of archives over DIMSE share: studies, an intake in memory, and archives that run."""

import pytest
from dimse_objects import make_instance
from query_archives import StrangeArchive

from dicom_node.dimse.archive import DimseArchive, RetrieveWay
from dicom_node.domain.errors import ArchiveFailed, ArchiveRefused, OutOfResources
from dicom_node.index.arrivals import SqlArrivals
from dicom_node.pipeline.pull_intake import StudyIntake

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


def intake_of(node, number, listed, expected):
    """The real intake of a study that arrives at a node's server."""
    return StudyIntake(
        f"2.25.{number}",
        listed,
        expected,
        source="pull:pacs",
        receiver=None,
        arrivals=SqlArrivals(node.database),
        pseudonymizer=node.receiver._pseudonymizer,
        arrived=lambda _study, _count: None,
        check=lambda: None,
    )


@pytest.fixture(scope="module")
def strange_archive():
    archive = StrangeArchive()
    yield archive
    archive.stop()


@pytest.fixture
def strange(strange_archive):
    """A function that gives an archive these instances, and has it behave but for what a test asks of it."""

    def start(series, **options):
        strange_archive.reset(series, **options)
        return strange_archive

    yield start
    strange_archive.reset(())
