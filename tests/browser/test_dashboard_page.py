"""The dashboard in Chromium: a study appears and moves on without a reload, wide and narrow."""

import re

import pydicom
import pytest
from page_checks import assert_sound

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

WIDTHS = (1280, 390)


def test_study_appears_and_ends_without_a_reload(start_node, open_page, expecting, save, send, t1_half):
    node = start_node(completion={"quiet_s": 2})
    page = open_page(node.url + "/")
    expecting(page.get_by_text("No study yet")).to_be_visible()
    assert_sound(page)
    save(page, "dashboard-empty", full_page=True)
    page.evaluate("window.sameDocument = true")

    send(node, t1_half)

    card = page.locator("article.study")
    expecting(card).to_have_count(1, timeout=10_000)
    expecting(card.locator(".badge")).to_have_text(
        re.compile("Done|Rejected|Failed|Quarantined"), timeout=180_000
    )
    assert page.evaluate("window.sameDocument") is True
    assert card.locator(".badge").inner_text() == "Done", card.inner_text()
    expecting(card).to_contain_text(re.compile(r"\d+ mL"))
    expecting(card).to_contain_text("files deleted and key destroyed")
    expecting(page.locator("#news")).to_contain_text("Done")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_pages_fit_are_named_and_readable(purged_study, open_page, expecting, save, width, scheme):
    node, study = purged_study
    page = open_page(node.url + "/", width=width, color_scheme=scheme)
    expecting(page.locator(".live.on")).to_be_visible()
    preview = page.locator("a.preview img")
    preview.scroll_into_view_if_needed()
    # The page's own policy forbids the evaluation that `wait_for_function` polls with.
    for _ in range(100):
        if preview.evaluate("(image) => image.naturalWidth"):
            break
        page.wait_for_timeout(100)
    assert preview.evaluate("(image) => image.naturalWidth") > 0

    assert_sound(page)
    save(page, f"dashboard-{width}-{scheme}", full_page=True)

    page.locator("article h2 a").click()
    expecting(page.locator("h1")).to_contain_text("Study")
    expecting(page.locator(".live.on")).to_be_visible()
    assert_sound(page)
    assert study["study_instance_uid"] in page.locator("main").inner_text()
    save(page, f"study-{width}-{scheme}", full_page=True)

    page.goto(node.url + "/api/docs")
    for summary in page.locator("summary").all():
        summary.click()
    assert_sound(page)
    save(page, f"api-{width}-{scheme}", full_page=True)


def test_everything_is_reached_by_keyboard(purged_study, open_page, expecting):
    node, _study = purged_study
    page = open_page(node.url + "/")
    expecting(page.locator(".live.on")).to_be_visible()

    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate("document.activeElement.innerText || document.activeElement.id || 'none'").strip()
        )
    assert {"Studies", "Viewer", "API", "Open in viewer", "files", "Upload"} <= reached


def test_focus_and_open_details_survive_an_update(purged_study, open_page, expecting):
    node, study = purged_study
    page = open_page(f"{node.url}/studies/{study['id']}")
    expecting(page.locator(".live.on")).to_be_visible()
    details = page.locator("details").first
    details.locator("summary").click()
    link = details.locator("a").first
    link.focus()
    wanted = link.get_attribute("href")
    # As if the server had sent other markup before: the next look replaces the part.
    page.route(
        "**/fragments/**",
        lambda route: route.fulfill(
            body=route.fetch(headers={**route.request.headers, "if-none-match": "none"})
            .text()
            .replace('<h2 id="results">Results', '<h2 id="results">Results, again'),
            content_type="text/html",
        ),
    )

    expecting(page.locator("#results")).to_have_text("Results, again", timeout=10_000)

    assert page.locator("details").first.get_attribute("open") is not None
    assert page.evaluate("document.activeElement.getAttribute('href')") == wanted


def test_page_says_when_the_node_does_not_answer(purged_study, open_page, expecting):
    node, _study = purged_study
    page = open_page(node.url + "/")
    expecting(page.locator(".live.on")).to_be_visible()

    page.route("**/fragments/**", lambda route: route.abort())

    expecting(page.locator(".live.off")).to_contain_text("does not answer", timeout=10_000)
    page.unroute("**/fragments/**")
    expecting(page.locator(".live.on")).to_be_visible(timeout=20_000)


def test_upload_form_brings_a_study_in(start_node, open_page, expecting, tmp_path, small_t1_series):
    node = start_node(completion={"quiet_s": 60})
    paths = []
    for number, ds in enumerate(small_t1_series):
        paths.append(tmp_path / f"{number}.dcm")
        ds.save_as(paths[-1], enforce_file_format=True)
    (tmp_path / "notes.txt").write_text("no DICOM")
    page = open_page(node.url + "/")

    page.locator("#files").set_input_files([*paths, tmp_path / "notes.txt"])
    page.get_by_role("button", name="Upload").click()

    count = len(paths)
    expecting(page.locator("#upload-status")).to_contain_text(
        f"{count} of {count + 1} files taken", timeout=60_000
    )
    expecting(page.locator("#upload-status")).to_contain_text("notes.txt")
    expecting(page.locator("article.study")).to_contain_text(f"{count} instances", timeout=10_000)

    page.locator("article h2 a").click()
    page.get_by_role("button", name=re.compile("start now")).click()
    expecting(page.locator(".badge").first).not_to_have_text("Receiving", timeout=20_000)


def test_result_is_downloaded_as_a_dicom_file(purged_study, open_page, tmp_path):
    node, study = purged_study
    page = open_page(f"{node.url}/studies/{study['id']}")
    details = page.locator("details").filter(has=page.locator("a[download^='SEG']"))
    details.locator("summary").click()
    with page.expect_download() as download:
        details.locator("a").first.click()
    download.value.save_as(tmp_path / "seg.dcm")

    assert pydicom.dcmread(tmp_path / "seg.dcm").Modality == "SEG"
