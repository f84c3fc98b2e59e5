"""The life of a study against a simple model, whatever comes in which order; the node dies between steps."""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from index_samples import STUDY, SetClock, instance

from dicom_node.domain.errors import SlotExpired
from dicom_node.domain.instance import StoreOutcome
from dicom_node.domain.study import ENDED, Slot, StudyState
from dicom_node.index.database import open_database, upgrade
from dicom_node.index.studies import SqlStudyIndex

numbers = st.integers(1, 5)
contents = st.sampled_from("ab")
ends = st.sampled_from(sorted(ENDED))
back = st.integers(0, 2)


class StudyLife(RuleBasedStateMachine):
    """One study. `here` maps instances in the spool to (content, version); `purges` versions to epochs."""

    schema: Path

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="study-life-"))
        shutil.copy(self.schema, self.folder / "node.db")
        self.clock = SetClock()
        self.start()
        self.id = self.index.open_slot(STUDY).study_id
        self.state, self.version, self.epoch = StudyState.RECEIVING, 1, 0
        self.here, self.ever, self.purges, self.gone = {}, set(), {}, set()
        self.reason, self.purged = None, False

    def start(self):
        self.engine = open_database(f"sqlite:///{self.folder / 'node.db'}")
        self.index = SqlStudyIndex(self.engine, self.clock)

    def teardown(self):
        self.engine.dispose()
        shutil.rmtree(self.folder)

    def send(self, slot, number, content):
        if number in self.here:
            same = self.here[number][0] == content
            assert self.index.register(instance(slot, number, content=content)) is (
                StoreOutcome.DUPLICATE if same else StoreOutcome.CONFLICT
            )
            return
        if slot.epoch != self.epoch:
            with pytest.raises(SlotExpired):
                self.index.register(instance(slot, number, content=content))
            return
        assert self.index.register(instance(slot, number, content=content)) is StoreOutcome.STORED
        if self.state in ENDED:
            self.state, self.version, self.reason = StudyState.RECEIVING, self.version + 1, None
        self.here[number] = (content, self.version + (self.state is StudyState.PROCESSING))
        self.ever.add(number)
        self.purged = False

    @rule(number=numbers, content=contents)
    def an_instance_arrives(self, number, content):
        slot = self.index.open_slot(STUDY)
        assert slot == Slot(self.id, self.epoch)
        self.send(slot, number, content)

    @precondition(lambda self: self.epoch > 0)
    @rule(number=numbers, content=contents)
    def an_instance_that_was_written_before_the_purge_is_registered(self, number, content):
        self.send(Slot(self.id, self.epoch - 1), number, content)

    @rule()
    def processing_begins(self):
        begins = self.state is StudyState.RECEIVING and bool(self.ever)
        assert self.index.begin_processing(self.id) == (self.version if begins else None)
        if begins:
            self.state = StudyState.PROCESSING

    @rule(end=ends, back=back)
    def a_version_ends(self, end, back):
        version = self.version - back
        self.index.finish(self.id, version, end, f"end {version}")
        if back or self.state is StudyState.RECEIVING:
            return
        late = any(v > version for _, v in self.here.values())
        if self.state is StudyState.PROCESSING and late:
            self.state, self.version, self.reason = StudyState.RECEIVING, version + 1, None
        else:
            self.state, self.reason = end, f"end {version}"

    @precondition(lambda self: self.state is not StudyState.RECEIVING)
    @rule(back=back)
    def a_purge_begins(self, back):
        version = max(1, self.version - back)
        slot = self.index.begin_purge(self.id, version)
        if version in self.purges:
            assert slot == Slot(self.id, self.purges[version])
        elif any(v > version for _, v in self.here.values()):
            assert slot is None
        elif not self.here and self.purges:
            assert slot == Slot(self.id, max(self.purges.values()))
        else:
            assert slot == Slot(self.id, self.epoch)
            self.purges[version] = self.epoch
            self.epoch += 1
            self.here = {}

    @precondition(lambda self: self.purges)
    @rule(data=st.data())
    def a_purge_ends(self, data):
        epoch = data.draw(st.sampled_from(sorted(self.purges.values())))
        self.index.purged(self.id, Slot(self.id, epoch))
        if epoch not in self.gone and not self.here:
            self.purged = True
        self.gone.add(epoch)

    @rule()
    def the_node_dies_and_starts_again(self):
        self.engine.dispose()
        self.start()

    @invariant()
    def the_index_says_what_the_model_says(self):
        study = self.index.study(self.id)
        assert (study.state, study.version, study.epoch) == (self.state, self.version, self.epoch)
        assert (study.received_instances, study.reason) == (len(self.ever), self.reason)
        assert (study.purged_at is not None) == self.purged
        assert (study.ended_at is not None) == (self.state in ENDED)
        for version in (self.version, self.version + 1):
            taken = {
                int(s.sop_instance_uid.rpartition(".")[2]): (s.sha256[0], s.version)
                for s in self.index.sources(self.id, version)
            }
            assert taken == {n: (c, v) for n, (c, v) in self.here.items() if v <= version}
        processing = [(self.id, self.version)] if self.state is StudyState.PROCESSING else []
        assert self.index.unfinished() == processing
        due = self.state is StudyState.RECEIVING and bool(self.ever)
        assert self.index.due(self.clock.now()) == ([self.id] if due else [])


def test_study_lives_as_the_model_says(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path / 'schema.db'}")
    upgrade(engine)
    engine.dispose()
    StudyLife.schema = tmp_path / "schema.db"
    limits = settings(max_examples=25, stateful_step_count=30, deadline=None)
    run_state_machine_as_test(StudyLife, settings=limits)
