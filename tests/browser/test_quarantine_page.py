"""The quarantine and the de-identification report in Chromium, on a node that holds screen captures."""

import pytest
from page_checks import assert_sound
from screen_captures import WITHOUT_PIXELS, screen_capture

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

NAMES = ("CANARYONE", "CANARYTWO", "CANARYTHREE")


@pytest.fixture(scope="module")
def holding(module_node):
    """A node, and the id of a study of three captures that are all held."""
    node = module_node(deidentification=WITHOUT_PIXELS)
    captures = [screen_capture(name, "browser", frames=3) for name in NAMES]
    assert node.send(captures) == [0x0000] * 3
    return node, node.wait_ended(captures[0].StudyInstanceUID)["id"]


def _audited(node):
    return (node.data_dir / "audit.jsonl").read_text().count('"quarantine.looked_at"')


def _held(node, study_id):
    answer = node.http.get("/api/quarantine", params={"study": study_id, "state": "held"})
    return [item["id"] for item in answer.json()["quarantined"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_pages_fit_are_named_and_readable(holding, open_page, expecting, save, width, scheme):
    node, study_id = holding
    page = open_page(node.url + "/", width=width, color_scheme=scheme)
    looks = _audited(node)
    page.get_by_role("link", name="instances in quarantine").click()
    expecting(page.locator("h1")).to_have_text("Quarantine")
    assert_sound(page)
    save(page, f"quarantine-{width}-{scheme}", full_page=True)
    page.locator("article h2 a").first.click()
    expecting(page.locator("h1")).to_contain_text("Secondary Capture")
    assert _audited(node) == looks, "a page alone must not show an original"
    page.get_by_role("button", name="Show the original").click()
    expecting(page.locator("#original img")).to_be_visible()
    assert_sound(page)
    save(page, f"quarantined-{width}-{scheme}", full_page=True)

    page.goto(f"{node.url}/studies/{study_id}/deidentification")
    expecting(page.locator("h1")).to_contain_text("De-identification")
    expecting(page.locator("main")).to_contain_text("burned-in-annotation")
    assert_sound(page)
    save(page, f"deidentification-{width}-{scheme}", full_page=True)


def test_every_frame_is_looked_at_by_keyboard(holding, open_page, expecting):
    node, study_id = holding
    page = open_page(f"{node.url}/quarantine/{_held(node, study_id)[0]}")
    looks = _audited(node)
    page.get_by_role("button", name="Show the original").focus()
    page.keyboard.press("Enter")
    expecting(page.locator("#look-status")).to_have_text("Frame 1 of 3")
    following = page.get_by_role("button", name="Next frame")
    for number in (2, 3):
        following.focus()
        page.keyboard.press("Enter")
        expecting(page.locator("#look-status")).to_have_text(f"Frame {number} of 3")
    expecting(following).to_be_disabled()
    assert page.get_by_alt_text("Frame 3 of 3 of the original").evaluate(
        "(i) => [i.naturalWidth, i.naturalHeight]"
    ) == [
        400,
        120,
    ]
    assert _audited(node) == looks + 3


def test_nothing_is_decided_without_the_confirmation(holding, open_page, expecting):
    node, study_id = holding
    before = _held(node, study_id)
    page = open_page(f"{node.url}/quarantine/{before[0]}")
    for name in ("Release", "Delete"):
        page.get_by_role("button", name=name, exact=True).click()
        box = page.locator(f"form[data-decide$='{name.lower()}'] input[type=checkbox]")
        assert box.evaluate("(box) => box.matches(':invalid')")
    assert _held(node, study_id) == before


def test_one_is_released_and_one_deleted_on_the_page(holding, open_page, expecting, save):
    node, study_id = holding
    first, second, *_ = _held(node, study_id)
    page = open_page(f"{node.url}/quarantine/{first}")
    page.get_by_label("I have looked at all of it").check()
    page.get_by_role("button", name="Release", exact=True).click()
    expecting(page.locator(".title .badge")).to_have_text("Released")
    expecting(page.locator("main")).to_contain_text("by local: nothing in it identifies a person")
    assert page.get_by_role("button", name="Delete").count() == 0

    # While the study is de-identified again no decision is taken: the page says so, and a second try passes.
    page.goto(f"{node.url}/quarantine/{second}")
    page.get_by_label("Why").last.select_option("not-needed")
    page.get_by_label("Delete it for good").check()
    for _ in range(50):
        page.get_by_role("button", name="Delete", exact=True).click()
        # The page's own policy forbids the evaluation that `wait_for_function` polls with. The button rests
        # while the node decides, and is gone with the form once it has.
        expecting(
            page.locator(".title .badge:text-is('Deleted'), form[data-decide$='delete'] button:enabled").first
        ).to_be_visible()
        if page.locator(".title .badge").inner_text() == "Deleted":
            break
    expecting(page.locator(".title .badge")).to_have_text("Deleted")
    expecting(page.locator("main")).to_contain_text("it is not needed")
    assert_sound(page)
    save(page, "quarantined-deleted", full_page=True)
    page.goto(f"{node.url}/quarantine?show=all&study={study_id}")
    expecting(page.locator("article")).to_have_count(3)
