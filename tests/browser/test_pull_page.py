"""The page about pulls in Chromium: asking, live progress, cancelling; nothing about whom in any URL."""

import re
import threading

import pytest
from archive_bench import study
from page_checks import assert_sound
from query_archives import StrangeArchive
from running_node import RunningNode

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def pulling(tmp_path_factory):
    """A node, and an archive that it pulls from; it waits before a fourth instance while `go_on` is clear."""
    pacs = StrangeArchive(study(11, series=1, instances=8) + study(12, series=1))
    pacs.go_on = threading.Event()
    pacs.before_send = lambda number, _event: pacs.go_on.wait(60) if number == 4 else None
    peer = {"name": "pacs", "ae_title": pacs.ae_title, "host": "127.0.0.1", "port": pacs.port}
    node = RunningNode(
        tmp_path_factory.mktemp("pulling"),
        {"dimse": {"peers": [{**peer, "retrieve": "get"}]}, "completion": {"quiet_s": 3600}},
    )
    yield node, pacs
    pacs.go_on.set()
    node.close()
    pacs.stop()


def test_study_is_asked_for_and_its_progress_seen(pulling, open_page, expecting, save):
    node, pacs = pulling
    pacs.go_on.clear()
    page = open_page(f"{node.url}/pulls")
    urls = []
    page.on("request", lambda request: urls.append(request.url))
    expecting(page.get_by_text("No pull yet")).to_be_visible()
    page.get_by_label("Accession Number").fill("ACC11")
    page.keyboard.press("Enter")
    expecting(page.locator("#pull-status")).to_have_text("It is being fetched.")
    expecting(page.get_by_label("Accession Number")).to_have_value("")
    card = page.locator("article")
    expecting(card.locator(".badge")).to_have_text("Fetching", timeout=20_000)
    expecting(card).to_contain_text("3 of 8 instances", timeout=20_000)
    bar = card.locator("progress")
    assert (bar.get_attribute("value"), bar.get_attribute("max")) == ("3", "8")
    save(page, "pulls-running", full_page=True)
    pacs.go_on.set()
    expecting(card.locator(".badge")).to_have_text("Done", timeout=20_000)
    expecting(card).to_contain_text("8 of 8 instances")
    expecting(page.locator("#news")).to_contain_text("Done")
    shown = page.content() + page.title() + " ".join(urls)
    for secret in ("ACC11", "2.25.11", "CANARY", "Canary"):
        assert secret not in shown
    card.locator("a").click()
    expecting(page.locator("main")).to_contain_text("a pull fetched all of it")


def test_pull_is_cancelled_by_keyboard(pulling, open_page, expecting):
    node, pacs = pulling
    pacs.go_on.clear()
    for ds in study(13, series=1, instances=8):
        pacs.series[ds.SOPInstanceUID] = ds
    page = open_page(f"{node.url}/pulls")
    page.get_by_label("Study Instance UID").fill("2.25.13")
    page.get_by_role("button", name="Fetch").click()
    card = page.locator("article").first
    expecting(card).to_contain_text("3 of 8 instances", timeout=20_000)
    card.get_by_role("button", name=re.compile("Cancel")).focus()
    page.keyboard.press("Enter")
    pacs.go_on.set()
    expecting(card.locator(".badge")).to_have_text("Cancelled", timeout=20_000)


def test_request_that_names_nothing_says_what_to_do(pulling, open_page, expecting):
    node, _ = pulling
    page = open_page(f"{node.url}/pulls")
    page.get_by_role("button", name="Fetch").click()
    expecting(page.locator("#pull-status")).to_contain_text("a pull must say what")
    page.get_by_label("Patient ID").fill("P*")
    page.get_by_role("button", name="Fetch").click()
    expecting(page.locator("#pull-status")).to_contain_text("no *")
    expecting(page.get_by_label("Patient ID")).to_have_value("P*")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_page_fits_is_named_and_readable(pulling, open_page, expecting, save, width, scheme):
    node, _ = pulling
    page = open_page(f"{node.url}/pulls", width=width, color_scheme=scheme)
    expecting(page.locator(".live.on")).to_be_visible()
    expecting(page.locator("nav [aria-current]").first).to_have_text("Pulls")
    assert_sound(page)
    save(page, f"pulls-{width}-{scheme}", full_page=True)
