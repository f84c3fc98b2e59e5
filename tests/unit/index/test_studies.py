"""The study index on SQLite."""

import pytest
from index_contract import (
    LifecycleContract,
    OutcomesContract,
    PagesContract,
    PurgeContract,
    ReceivingContract,
    clock,
    index,
    slot,
)
from index_samples import STUDY, instance

from dicom_node.domain.errors import StorageFailure
from dicom_node.domain.instance import StoreOutcome
from dicom_node.index.database import open_database
from dicom_node.index.group_commit import GroupCommit
from dicom_node.index.studies import SqlStudyIndex

__all__ = ["clock", "index", "slot"]


class TestReceiving(ReceivingContract):
    pass


class TestLifecycle(LifecycleContract):
    pass


class TestPurge(PurgeContract):
    pass


class TestOutcomes(OutcomesContract):
    pass


class TestPages(PagesContract):
    pass


def test_what_was_registered_is_there_after_the_node_is_gone(engine, url, index, slot, clock):
    index.register(instance(slot, 1))
    other = open_database(url)
    try:
        assert SqlStudyIndex(other, clock).register(instance(slot, 1)) is StoreOutcome.DUPLICATE
    finally:
        other.dispose()


def test_error_of_one_item_is_its_own():
    failure = StorageFailure("this one")
    group = GroupCommit(lambda batch: [failure if item == 2 else item for item in batch])
    assert group.submit(1) == 1
    with pytest.raises(StorageFailure, match="this one"):
        group.submit(2)


def test_failed_transaction_fails_every_item_and_the_next_goes_on():
    answers = iter([StorageFailure("no disk")])

    def commit(batch):
        failure = next(answers, None)
        if failure:
            raise failure
        return batch

    group = GroupCommit(commit)
    with pytest.raises(StorageFailure, match="no disk"):
        group.submit(1)
    assert group.submit(2) == 2


def test_database_that_vanished_is_a_storage_failure(tmp_path, clock):
    bare = open_database(f"sqlite:///{tmp_path / 'bare.db'}")
    index = SqlStudyIndex(bare, clock)
    with pytest.raises(StorageFailure) as caught:
        index.open_slot(STUDY)
    assert STUDY not in str(caught.value)
    bare.dispose()
