"""Two services on one database: each pull is fetched by one of them, and by the other where one died."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from pull_world import STUDY, World

from dicom_node.app.adapters import SystemClock
from dicom_node.domain.pull import PULL_ENDED, Pull, PullState, PullWork, StudyQuery
from dicom_node.index.database import open_database, upgrade
from dicom_node.index.pulls import SqlPulls

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[SqlPulls]:
    database = open_database(f"sqlite:///{tmp_path / 'node.db'}")
    upgrade(database)
    yield SqlPulls(database, bytes(32))
    database.dispose()


@pytest.fixture
def worlds(shared: SqlPulls) -> tuple[World, World]:
    one, other = World(), World()
    store: Any = shared
    one.store = other.store = store
    one.studies = other.studies = {f"{STUDY}.{n}": [f"{n}1", f"{n}2"] for n in range(1, 7)}
    return one, other


def wait_ended(shared: SqlPulls, count: int) -> list[Pull]:
    deadline = time.monotonic() + 20
    while not all(pull.state in PULL_ENDED for pull in shared.newest(100)):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert len(shared.newest(100)) == count
    return list(shared.newest(100))


def test_each_pull_is_fetched_by_one_of_two(shared: SqlPulls, worlds: tuple[World, World]) -> None:
    services = [world.service() for world in worlds]
    for study in worlds[0].studies:
        services[0].request("pacs", study)
    for world in worlds:
        world.before = lambda _uid: time.sleep(0.02)
    for service in services:
        service.start()
    pulls = wait_ended(shared, 6)
    for service in services:
        service.stop()
    assert {pull.state for pull in pulls} == {PullState.DONE}
    fetched = worlds[0].received + worlds[1].received
    assert sorted(fetched) == sorted(uid for uids in worlds[0].studies.values() for uid in uids)
    assert all(world.received for world in worlds)


def test_pull_of_a_process_that_died_is_taken_over(shared: SqlPulls, worlds: tuple[World, World]) -> None:
    now = SystemClock().now()
    shared.add(
        Pull("left", "pacs", PullState.QUEUED, now, now),
        PullWork(StudyQuery(study_instance_uid=f"{STUDY}.1")),
    )
    assert shared.claim("dead", now, now - timedelta(seconds=1)) is not None
    service = worlds[0].service()
    service.start()
    (pull,) = wait_ended(shared, 1)
    service.stop()
    assert (pull.state, pull.received) == (PullState.DONE, 2)


def test_pull_that_a_stopped_process_leaves_is_taken_over_at_once(
    shared: SqlPulls, worlds: tuple[World, World]
) -> None:
    first, second = (world.service() for world in worlds)
    stopping = []

    def before(uid: str) -> None:
        if uid == "12":
            stopping.append(uid)
            time.sleep(0.3)

    worlds[0].before = before
    first.request("pacs", f"{STUDY}.1")
    first.start()
    while not stopping:
        time.sleep(0.005)
    first.stop()
    worlds[1].spool = worlds[0].spool
    second.start()
    (pull,) = wait_ended(shared, 1)
    second.stop()
    assert (pull.state, pull.received) == (PullState.DONE, 2)
    assert worlds[0].received + worlds[1].received == ["11", "12"]
