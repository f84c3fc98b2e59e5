"""What every `ports.NotificationStore` over a database must do. Modules give the fixture `engine`."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dicom_node.domain.errors import NotFound
from dicom_node.domain.notification import EventKind, Notification, NotificationState
from dicom_node.index.notifications import SqlNotifications

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LATER = NOW + timedelta(minutes=2)


def message(number=1, listener="ris", **more):
    at = NOW + timedelta(seconds=number)
    values = {
        "id": f"msg_{number}",
        "listener": listener,
        "kind": EventKind.STUDY_ENDED,
        "study_id": "s",
        "version": 1,
        "destination": None,
        "body": "{}",
        "state": NotificationState.PENDING,
        "attempts": 0,
        "created_at": at,
        "queued_at": at,
        "next_at": at,
    }
    return Notification(**values | more)


class NotificationContract:
    @pytest.fixture
    def store(self, engine):
        return SqlNotifications(engine)

    def test_same_message_again_changes_nothing(self, store):
        store.add([message()])
        store.update(replace(message(), state=NotificationState.SENT, attempts=1, sent_at=NOW))
        store.add([message(), message(2)])
        assert [(m.id, m.state) for m in store.page()[0]] == [
            ("msg_2", NotificationState.PENDING),
            ("msg_1", NotificationState.SENT),
        ]

    def test_message_that_is_due_longest_is_claimed_once(self, store):
        store.add([message(2), message(1), message(3, listener="other")])
        now = NOW + timedelta(seconds=10)
        assert store.claim("ris", now, LATER).id == "msg_1"
        assert store.claim("ris", now, LATER).id == "msg_2"
        assert store.claim("ris", now, LATER) is None
        assert store.claim("ris", LATER, LATER + timedelta(minutes=1)).id == "msg_1"

    def test_message_is_not_claimed_before_its_time(self, store):
        store.add([message(5)])
        assert store.claim("ris", NOW, LATER) is None

    def test_retry_queues_the_dead_ones_that_are_meant(self, store):
        dead = {"state": NotificationState.DEAD, "attempts": 9, "reason": "no answer"}
        store.add([message(1, **dead), message(2, **dead), message(3, listener="other", **dead), message(4)])
        assert store.retry(LATER, message_id="msg_4") == 0
        assert store.retry(LATER, message_id="msg_1") == 1
        again = store.claim("ris", LATER, LATER)
        while again.id != "msg_1":
            again = store.claim("ris", LATER, LATER + timedelta(hours=1))
        assert (again.attempts, again.reason, again.queued_at) == (0, None, LATER)
        assert store.retry(LATER, listener="other") == 1
        assert store.count()["ris", NotificationState.DEAD] == 1

    def test_pages_go_from_new_to_old_and_may_be_narrowed(self, store):
        store.add([message(n, listener="ris" if n % 2 else "other") for n in range(1, 6)])
        page, cursor = store.page(limit=2)
        assert [m.id for m in page] == ["msg_5", "msg_4"]
        page, cursor = store.page(limit=3, cursor=cursor)
        assert [m.id for m in page] == ["msg_3", "msg_2", "msg_1"]
        assert cursor is None
        assert [m.id for m in store.page(listener="other")[0]] == ["msg_4", "msg_2"]
        assert store.page(state=NotificationState.DEAD) == ([], None)
        with pytest.raises(NotFound):
            store.page(cursor="*")

    def test_only_sent_ones_are_forgotten(self, store):
        store.add([message(1), message(2)])
        store.update(replace(message(2), state=NotificationState.SENT, sent_at=NOW))
        assert store.forget(NOW) == 0
        assert store.forget(LATER) == 1
        assert [m.id for m in store.page()[0]] == ["msg_1"]

    def test_nodes_that_claim_at_once_get_different_messages(self, engine, store):
        store.add([message(number) for number in range(1, 13)])
        now = NOW + timedelta(minutes=1)

        def claim(_):
            found = SqlNotifications(engine).claim("ris", now, LATER)
            return found.id if found else None

        with ThreadPoolExecutor(6) as threads:
            claimed = [found for found in threads.map(claim, range(12)) if found]
        assert len(claimed) == len(set(claimed))
        while (left := store.claim("ris", now, LATER)) is not None:
            claimed.append(left.id)
        assert len(set(claimed)) == len(claimed) == 12
