"""What tests of archives over DIMSE share: studies, an intake in memory, and archives that run."""

import io
from types import SimpleNamespace

import pytest
from dimse_objects import make_instance
from query_archives import StrangeArchive

from dicom_node.dimse.archive import DimseArchive, RetrieveWay
from dicom_node.domain.errors import ArchiveFailed, ArchiveRefused, OutOfResources
from dicom_node.domain.instance import StoreOutcome
from dicom_node.index.arrivals import SqlArrivals
from dicom_node.pipeline.header import scan
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


class Growing:
    """An `Arrival` in memory."""

    def __init__(self, taken):
        self.taken, self.data, self.abandoned = taken, bytearray(), False
        taken.begun.append(self)

    def write(self, part):
        self.data += part

    def complete(self):
        self.taken.largest = max(self.taken.largest, len(self.data))
        uid = scan(io.BytesIO(self.data)).header.sop_instance_uid
        self.taken.take(uid, io.BytesIO(self.data))
        return SimpleNamespace(outcome=StoreOutcome.STORED)

    def abandon(self):
        self.abandoned = True


class Taken:
    """An `Intake` in memory."""

    def __init__(self, wanted):
        self.left = {item.sop_instance_uid: item for item in wanted}
        self.streams = {}
        self.refuse = {}
        self.check = lambda: None
        self.begun = []
        self.largest = 0

    def missing(self):
        return self.left.values()

    def take(self, uid, stream):
        if self.refuse.get(uid):
            return self.refuse[uid].pop()
        self.streams[uid] = stream.read()
        self.left.pop(uid, None)
        return None

    def begin(self):
        return Growing(self)

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
        receiver=node.receiver,
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
