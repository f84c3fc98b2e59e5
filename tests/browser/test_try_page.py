"""The page `/try` in Chromium: an image dropped or chosen, verdict, heatmap, refusal; on a phone too."""

import base64
import io
import json
import re

import numpy as np
import pytest
from page_checks import assert_sound
from PIL import Image
from running_node import RunningNode
from toy_classifier import toy_classifier

__all__ = ["toy_classifier"]

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

#: Drops a file on the page as a person does.
_DROP = """([name, type, data]) => {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, { type }));
  document.getElementById('drop').dispatchEvent(
    new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true }));
}"""
#: The heatmap as it is drawn on the page.
_PIXELS = """() => {
  const image = document.getElementById('heat-image');
  const canvas = document.createElement('canvas');
  canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;
  canvas.getContext('2d').drawImage(image, 0, 0);
  return canvas.toDataURL('image/png').split(',')[1];
}"""


def head(*, tumour):
    """A round head with structure in it, and a bright spot on one side."""
    y, x = np.mgrid[0:240, 0:200]
    inside = ((y - 120) / 100) ** 2 + ((x - 100) / 80) ** 2 < 1
    rng = np.random.default_rng(3)
    texture = np.kron(rng.integers(0, 40, (24, 20)), np.ones((10, 10), int))
    pixels = np.where(inside, 90 + texture, 4)
    if tumour:
        pixels[70:110, 120:160] = 240
    buffer = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def blank():
    buffer = io.BytesIO()
    Image.fromarray(np.full((240, 200), 7, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def node(tmp_path_factory, toy_classifier):
    running = RunningNode(
        tmp_path_factory.mktemp("trying"), {"inference": {"model_dirs": [str(toy_classifier)]}}
    )
    yield running
    running.close()


def choose(page, data, name="DOE^JANE.png"):
    page.get_by_label("Model", exact=True).select_option("toy-brain")
    page.set_input_files("#file", {"name": name, "mimeType": "image/png", "buffer": data})


def test_an_image_gets_its_verdict_and_heatmap(node, open_page, expecting, save):
    page = open_page(f"{node.url}/try")
    assert_sound(page)
    choose(page, head(tumour=True))
    page.get_by_role("button", name="Ask the model").click()
    expecting(page.locator("#answer-title")).to_contain_text("Glioma", timeout=60_000)
    expecting(page.locator("#answer-reason")).to_have_text("Confidence 95.0 %")
    expecting(page.locator("#classes tr").first).to_contain_text("Glioma")
    expecting(page.locator("#heat")).to_be_visible(timeout=60_000)
    expecting(page.locator("#heat-image")).to_have_attribute("alt", re.compile("speaks for Glioma"))
    expecting(page.locator("#heat-image")).to_be_visible()
    drawn = page.locator("#heat-image").bounding_box()
    assert (drawn["width"], drawn["height"]) == (200, 240)
    expecting(page.locator("#notice")).to_contain_text("Research use only")
    expecting(page.locator("#notices")).to_contain_text("Trained on nothing.")
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(page.evaluate(_PIXELS)))).convert("RGB"))
    assert picture.shape == (240, 200, 3)
    colourful = np.ptp(picture.astype(int), axis=2) > 30
    assert colourful[75:105, 125:155].mean() > 0.95
    assert not colourful[60:180, 30:110].any()
    assert_sound(page)
    save(page, "try-verdict", full_page=True)


def test_an_image_is_dropped_and_refused_with_its_reason_on_a_phone(node, open_page, expecting, save):
    page = open_page(f"{node.url}/try", width=390, height=800)
    assert_sound(page)
    # The form stands above what is said of it.
    assert page.locator("#try-form").bounding_box()["y"] < page.locator("#about-card").bounding_box()["y"]
    page.get_by_label("Model", exact=True).select_option("toy-brain")
    data = base64.b64encode(blank()).decode()
    page.evaluate(_DROP, ["blank.png", "image/png", data])
    expecting(page.locator("#try-status")).to_have_text("blank.png is chosen.")
    page.get_by_role("button", name="Ask the model").click()
    expecting(page.locator("#answer-title")).to_have_text("Unable to determine", timeout=60_000)
    expecting(page.locator("#refusals li").first).to_be_visible()
    expecting(page.locator("#heat")).to_be_hidden()
    assert_sound(page)
    save(page, "try-refused-phone", full_page=True)


def test_the_page_works_by_keyboard_and_says_what_happened(node, open_page, expecting):
    page = open_page(f"{node.url}/try")
    choose(page, b"this is no image", "letter.png")
    page.locator("#file").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    status = page.locator("#try-status")
    expecting(status).to_contain_text("no PNG, JPEG or DICOM", timeout=60_000)
    assert status.get_attribute("role") == "status"
    expecting(page.locator("#answer")).to_be_hidden()
    choose(page, head(tumour=False))
    page.get_by_role("button", name="Ask the model").press("Enter")
    expecting(page.locator("#answer-title")).to_contain_text("None", timeout=60_000)
    # Who listens is taken to the answer.
    expecting(page.locator("#answer")).to_be_focused(timeout=60_000)


def test_nothing_of_an_image_is_left_on_the_node(node):
    canary = head(tumour=True)
    answer = node.http.post(
        "/predict?model=toy-brain", files={"image": ("DOE^JANE.png", canary, "image/png")}
    )
    assert answer.json()["status"] == "done"
    assert list((node.data_dir / "scratch").iterdir()) == []
    written = [
        path for path in node.data_dir.rglob("*") if path.is_file() and canary[:64] in path.read_bytes()
    ]
    assert written == []
    log = (node.configuration.parent / "node.log").read_text(encoding="utf-8")
    assert "DOE" not in log
    assert "Glioma" not in log
    # And there is no study of it.
    assert json.loads(node.http.get("/api/studies").text)["studies"] == []
