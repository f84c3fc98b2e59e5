"""Quarantine and review over real stores and a real index: what lies where, and what is audited."""

import io
from types import SimpleNamespace

import pytest
from index_samples import STUDY, SetClock, instance

from dicom_node.domain.errors import Gone, NotFound, Quarantined, StorageFailure
from dicom_node.domain.quarantine import DeleteReason, Preview, QuarantineState, ReleaseReason
from dicom_node.domain.study import StudyState
from dicom_node.index.database import open_database, upgrade
from dicom_node.index.quarantine import SqlQuarantine
from dicom_node.index.studies import SqlStudyIndex
from dicom_node.pipeline import quarantine
from dicom_node.pipeline.review import ReviewDesk
from dicom_node.storage.blobs import EncryptedBlobs
from dicom_node.storage.keys import KeyStore

LOOK = Quarantined("burned-in-annotation: look at it", "burned-in-annotation", vouchable=True)
HEADER = Quarantined("identity-left (PatientName): it is kept back", "identity-left")
FINE = ReleaseReason.NOTHING_IDENTIFIES


class Wrapper:
    def wrap(self, key, context):
        return b"w" + key

    def unwrap(self, wrapped, context):
        return wrapped[1:]


class Audit:
    def __init__(self):
        self.events = []
        self.full = False

    def record(self, event, **fields):
        if self.full:
            raise StorageFailure("the audit log cannot be written")
        self.events.append((event, fields))

    def names(self):
        return [name for name, _ in self.events]


class Node:
    """The services that quarantine and review work with, and a study with two instances in it."""

    def __init__(self, folder):
        self.folder = folder
        self.engine = open_database(f"sqlite:///{folder / 'node.db'}")
        upgrade(self.engine)
        clock = SetClock()
        keys = KeyStore(folder / "keys" / "slots", Wrapper())
        own_keys = KeyStore(folder / "keys" / "quarantine", Wrapper())
        spool = EncryptedBlobs(folder / "spool", "spool", keys)
        stores = SimpleNamespace(
            spool=spool,
            work=EncryptedBlobs(folder / "work", "work", keys),
            quarantine=EncryptedBlobs(folder / "quarantine", "quarantine", own_keys),
            keys=keys,
            quarantine_keys=own_keys,
        )
        self.audit = Audit()
        self.index = SqlStudyIndex(self.engine, clock)
        self.services = SimpleNamespace(
            index=self.index,
            catalog=SimpleNamespace(withdraw_sources=lambda study_id: None),
            quarantine=SqlQuarantine(self.engine, clock),
            stores=stores,
            audit=self.audit,
            metrics=SimpleNamespace(count=lambda *args, **labels: None),
        )
        self.desk = ReviewDesk(self.services, self.draw)
        self.slot = self.index.open_slot(STUDY)
        for number in (1, 2):
            self.index.register(self.spooled(self.slot, number))
        self.index.begin_processing(self.slot.study_id)

    @staticmethod
    def draw(part10, frame, *, all_values):
        if frame > 1:
            raise NotFound("no such frame")
        return Preview(b"png of " + part10, 1)

    def spooled(self, slot, number):
        self.services.stores.spool.write(slot, f"{number}.dcm", io.BytesIO(b"original %d" % number))
        return instance(slot, number)

    def hold(self, why=LOOK, number=1, version=1):
        """What the de-identify stage does, and the end of the version."""
        sources = self.index.sources(self.slot.study_id, version)
        (source,) = [s for s in sources if s.sop_instance_uid.endswith(f".{number}")]
        data = self.services.stores.spool.read(source.spool_ref)
        assert quarantine.hold(self.services, source, version, data, why) == str(why)
        (item, *_), _ = self.desk.page(state=QuarantineState.HELD)
        return item

    def end(self, state=StudyState.QUARANTINED, version=1):
        self.index.finish(self.slot.study_id, version, state, None)

    def purge(self):
        self.services.stores.keys.destroy(self.index.begin_purge(self.slot.study_id, 1))
        self.services.stores.spool.delete_slot(self.slot)
        self.index.purged(self.slot.study_id, self.slot)

    def files(self, area):
        return [p.name for p in (self.folder / area).rglob("*") if p.is_file()]

    def quarantine_is_empty(self):
        return self.files("quarantine") == self.files("keys/quarantine") == []


@pytest.fixture
def node(tmp_path):
    made = Node(tmp_path)
    yield made
    made.engine.dispose()


def test_stage_that_a_crash_repeats_holds_an_instance_once(node):
    first = node.hold()
    assert node.hold() == first
    assert len(node.files("quarantine")) == len(node.files("keys/quarantine")) == 1
    assert b"original" not in next((node.folder / "quarantine").rglob("original.dcm")).read_bytes()


def test_look_gives_the_original_and_is_audited_before(node):
    item = node.hold()
    assert node.desk.preview(item.id, 1, "local").png == b"png of original 1"
    assert node.desk.content(item.id, "local") == b"original 1"
    looks = [fields for event, fields in node.audit.events if event == "quarantine.looked_at"]
    assert [(f["what"], f["frame"], f["by"]) for f in looks] == [
        ("preview", 1, "local"),
        ("content", None, "local"),
    ]
    node.audit.full = True
    for look in (lambda: node.desk.preview(item.id, 1, "local"), lambda: node.desk.content(item.id, "local")):
        with pytest.raises(StorageFailure):
            look()


def test_look_outlives_the_purge_of_the_study(node):
    item = node.hold()
    node.end(StudyState.REJECTED)
    node.purge()
    assert node.desk.content(item.id, "local") == b"original 1"


def test_released_instance_goes_to_the_next_version_and_leaves_the_quarantine(node):
    item = node.hold()
    node.end()
    released = node.desk.release(item.id, FINE, "local")
    assert (released.state, released.ref) == (QuarantineState.RELEASED, "")
    assert node.quarantine_is_empty()
    study = node.index.study(item.study_id)
    assert (study.state, study.version) == (StudyState.RECEIVING, 2)
    late = next(s for s in node.index.sources(item.study_id, 2) if s.version == 2)
    assert node.services.stores.spool.read(late.spool_ref) == b"original 1"
    assert node.audit.names()[-2:] == ["quarantine.release", "quarantine.destroyed"]
    assert node.desk.release(item.id, FINE, "local") == released
    with pytest.raises(Gone):
        node.desk.content(item.id, "local")
    with pytest.raises(Gone):
        node.desk.delete(item.id, DeleteReason.OTHER, "local")


def test_release_after_the_purge_brings_the_bytes_back_to_a_new_slot(node):
    item = node.hold()
    node.end(StudyState.DONE)
    node.purge()
    node.desk.release(item.id, FINE, "local")
    (late,) = node.index.sources(item.study_id, 2)
    assert late.epoch == 1
    assert node.services.stores.spool.read(late.spool_ref) == b"original 1"


def test_rule_that_no_look_can_answer_is_not_released(node):
    item = node.hold(HEADER)
    node.end()
    with pytest.raises(Quarantined, match="identity-left"):
        node.desk.release(item.id, FINE, "local")
    assert node.desk.get(item.id) == item
    assert "quarantine.release" not in node.audit.names()


def test_deleted_instance_is_gone_everywhere_with_a_receipt(node):
    item = node.hold()
    node.end()
    spooled = len(node.files("spool"))
    deleted = node.desk.delete(item.id, DeleteReason.IDENTITY_VISIBLE, "local")
    assert (deleted.state, deleted.ref) == (QuarantineState.DELETED, "")
    assert node.quarantine_is_empty()
    assert len(node.files("spool")) == spooled - 1
    assert [s.sop_instance_uid for s in node.index.sources(item.study_id, 1)] == [f"{STUDY}.1.2"]
    receipt = dict(node.audit.events)["quarantine.destroyed"]
    assert (receipt["key_destroyed"], receipt["files_deleted"]) == (True, 1)
    assert node.desk.delete(item.id, DeleteReason.OTHER, "local") == deleted
    with pytest.raises(Gone):
        node.desk.release(item.id, FINE, "local")


def test_study_of_which_nothing_is_left_is_purged_with_its_key(node):
    items = [node.hold(number=1), node.hold(number=2)]
    node.end()
    for item in items:
        assert node.index.study(item.study_id).purged_at is None
        assert node.files("keys/slots")
        node.desk.delete(item.id, DeleteReason.NOT_NEEDED, "local")
    assert node.index.study(item.study_id).purged_at is not None
    assert node.files("spool") == node.files("keys/slots") == []
    assert node.audit.names().count("study.purged") == 1


def test_decision_that_cannot_be_audited_is_not_taken(node):
    item = node.hold()
    node.end()
    node.audit.full = True
    for decide in (
        lambda: node.desk.release(item.id, FINE, "local"),
        lambda: node.desk.delete(item.id, DeleteReason.OTHER, "local"),
    ):
        with pytest.raises(StorageFailure):
            decide()
    assert node.desk.get(item.id).state is QuarantineState.HELD
    assert node.index.study(item.study_id).version == 1


def test_bytes_that_a_crash_left_behind_go_at_the_next_start(node, monkeypatch):
    item = node.hold()
    node.end()

    def crash(*args):
        raise StorageFailure("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(node.services.stores.quarantine_keys, "destroy", crash)
        with pytest.raises(StorageFailure):
            node.desk.release(item.id, FINE, "local")
    assert node.desk.get(item.id).state is QuarantineState.RELEASED
    assert not node.quarantine_is_empty()
    assert node.desk.settle() == 1
    assert node.quarantine_is_empty()
    assert node.desk.settle() == 0


def test_instance_that_a_later_run_passes_leaves_the_quarantine_by_itself(node):
    item = node.hold()
    sources = node.index.sources(item.study_id, 1)
    quarantine.lift(node.services, item.study_id, sources)
    assert (node.desk.get(item.id).state, node.desk.get(item.id).decided_by) == (
        QuarantineState.RELEASED,
        "node",
    )
    assert node.quarantine_is_empty()
    assert node.services.quarantine.vouched(item.study_id) == {}
