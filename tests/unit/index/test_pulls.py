from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from dicom_node.domain.errors import NotFound, StorageFailure
from dicom_node.domain.pull import Pull, PullState, PullWork, StudyQuery
from dicom_node.index.pulls import SqlPulls

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
WORK = PullWork(StudyQuery(accession_number="SECRET-77", since=date(2026, 1, 1)), {"1.2.840.77": "study-1"})


def pull(number: int = 1, **more: Any) -> Pull:
    at = NOW + timedelta(seconds=number)
    return Pull(f"pull-{number}", "pacs", PullState.QUEUED, at, at, **more)


@pytest.fixture
def store(engine: Any) -> SqlPulls:
    return SqlPulls(engine, bytes(32))


def sealed(engine: Any) -> list[bytes | None]:
    with engine.connect() as connection:
        return [row.sealed for row in connection.execute(text("SELECT sealed FROM pulls"))]


def test_pull_and_what_it_asks_for_come_back(store: SqlPulls) -> None:
    store.add(pull(), WORK)
    assert store.get("pull-1") == pull()
    assert store.work("pull-1") == WORK


def test_what_is_asked_for_is_sealed_and_goes_at_the_end(store: SqlPulls, engine: Any) -> None:
    store.add(pull(), WORK)
    (before,) = sealed(engine)
    assert before is not None
    assert b"SECRET" not in before
    assert b"1.2.840.77" not in before
    ended = replace(pull(), state=PullState.DONE, expected=3, received=3, study_ids=("a", "b"))
    store.update(ended)
    assert sealed(engine) == [None]
    assert store.get("pull-1") == ended
    with pytest.raises(NotFound):
        store.work("pull-1")


def test_progress_keeps_what_is_asked_for(store: SqlPulls) -> None:
    store.add(pull(), WORK)
    store.update(replace(pull(), state=PullState.RUNNING, received=5))
    assert store.work("pull-1") == WORK
    changed = replace(WORK, complete={})
    store.update(replace(pull(), state=PullState.RUNNING), changed)
    assert store.work("pull-1") == changed


def test_another_key_does_not_open_it(store: SqlPulls, engine: Any) -> None:
    store.add(pull(), WORK)
    with pytest.raises(StorageFailure, match="master key"):
        SqlPulls(engine, bytes(31) + b"\1").work("pull-1")


def test_newest_come_first_and_ended_ones_are_finished(store: SqlPulls) -> None:
    for number in (1, 2, 3):
        store.add(pull(number), WORK)
    store.update(replace(pull(2), state=PullState.FAILED, reason="x"))
    assert [found.id for found in store.newest(2)] == ["pull-3", "pull-2"]
    assert [found.id for found in store.unfinished()] == ["pull-1", "pull-3"]


def test_unknown_pull_is_not_found(store: SqlPulls) -> None:
    with pytest.raises(NotFound):
        store.get("pull-9")
