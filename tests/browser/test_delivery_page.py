"""The page about deliveries in Chromium: destinations, dead letters, and the decision about them."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from index_samples import instance
from page_checks import assert_sound
from ports import take_port
from running_node import RunningNode

from dicom_node.app.adapters import SystemClock
from dicom_node.domain.breaker import Breaker
from dicom_node.domain.delivery import DeliveryKey, DeliveryObject, DeliveryStatus
from dicom_node.domain.destination import Closing
from dicom_node.domain.result import ResultEntry, ResultKind
from dicom_node.domain.study import StudyState
from dicom_node.index.database import open_database
from dicom_node.index.deliveries import SqlDeliveries
from dicom_node.index.studies import SqlStudyIndex

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

UIDS = ("2.25.301", "2.25.302")


@pytest.fixture
def failing(tmp_path):
    """A node whose PACS is not there, and the ids of two studies whose deliveries were given up."""
    peer = {"name": "pacs", "ae_title": "PACS", "host": "127.0.0.1", "port": take_port()}
    destination = {"name": "pacs", "kind": "dimse", "peer": "pacs", "breaker_open_s": 600}
    node = RunningNode(
        tmp_path / "failing",
        {
            "dimse": {"peers": [peer]},
            "destinations": [destination],
            "completion": {"quiet_s": 3600},
        },
    )
    engine = open_database(f"sqlite:///{node.data_dir / 'node.db'}")
    store = SqlDeliveries(engine)
    # Open before anything is queued: nothing is tried.
    store.set_breaker(Breaker("pacs").failed(datetime.now(UTC), "not there", limit=1, open_s=600))
    studies = [_given_up(SqlStudyIndex(engine, SystemClock()), store, uid) for uid in UIDS]
    engine.dispose()
    yield node, studies
    node.close()


def _given_up(index, store, study_uid):
    slot = index.open_slot(study_uid)
    index.register(instance(slot, 1, study=study_uid))
    entry = ResultEntry(ResultKind.SR, "1.2", f"{study_uid}.8", f"{study_uid}.9", 1, "results:none")
    index.set_results(slot.study_id, 1, [entry])
    now = datetime.now(UTC)
    key = DeliveryKey(slot.study_id, 1, "pacs")
    closing = Closing(slot.study_id, 1, StudyState.DONE, None, frozenset(), now)
    store.open(closing, {"pacs": [DeliveryObject(0, entry.sop_instance_uid)]})
    dead = replace(
        store.get(key),
        status=DeliveryStatus.FAILED,
        attempts=10,
        settled_at=now,
        reason="PACS does not answer (given up after 10 attempts)",
    )
    store.record(dead)
    return slot.study_id


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_page_fits_and_is_readable(failing, open_page, expecting, save, width, scheme):
    node, studies = failing
    page = open_page(node.url + "/", width=width, color_scheme=scheme)
    page.get_by_role("link", name="Deliveries").click()
    expecting(page.locator("h1")).to_have_text("Deliveries")
    expecting(page.locator("article")).to_have_count(len(studies))
    expecting(page.locator("section .badge").first).to_have_text("Paused")
    assert_sound(page)
    save(page, f"deliveries-{width}-{scheme}", full_page=True)


def test_dead_letters_are_discarded_and_retried(failing, open_page, expecting):
    node, studies = failing
    page = open_page(f"{node.url}/deliveries")
    first = page.locator("article").filter(has_text=studies[0][:8])
    first.get_by_role("button", name="Discard").click()
    expecting(page.locator("article")).to_have_count(1, timeout=20_000)
    page.get_by_role("button", name="Retry all to pacs").focus()
    page.keyboard.press("Enter")
    expecting(page.get_by_text("No delivery was given up.")).to_be_visible(timeout=20_000)
    page.get_by_role("link", name="Waiting").click()
    expecting(page.locator("article")).to_contain_text(studies[1][:8])
    states = {d["study_id"]: d["status"] for d in node.http.get("/api/deliveries").json()["deliveries"]}
    assert states == {studies[0]: "discarded", studies[1]: "pending"}
