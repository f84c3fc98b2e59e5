"""Chromium, nodes with a real study in them, and OHIF as a person uses it."""

import io
import re
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect, sync_playwright
from running_node import ENDED, RunningNode

from dicom_node.cli.send import send_to
from viewer.ohif.release import find_ohif

SCREENSHOTS = Path(__file__).resolve().parents[2] / ".artifacts" / "screenshots"

#: WebGL2 in software, and nothing that asks the outside network.
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
)


#: Requests that leave no machine; Chromium's own PDF viewer is an extension of its own.
_WITHIN = ("blob:", "data:", "chrome://", "chrome-extension://")


# One browser a module, not a session: while Playwright's synchronous interface lives, its event loop counts
# as running in this thread, and tests of other folders could not use asyncio.run.
@pytest.fixture(scope="module")
def chromium():
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("needs chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium):
    """A function that opens a window; at the end no page may have failed or asked another origin."""
    contexts, complaints = [], []

    def opened(url, width=1280, height=900, **options):
        context = chromium.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        origin = re.match(r"https?://[^/]+", url)[0]
        page.on("pageerror", lambda error: complaints.append(f"script error: {error}"))
        page.on(
            "console",
            lambda line: complaints.append(line.text) if "Content Security Policy" in line.text else None,
        )
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith((origin, *_WITHIN))
                else complaints.append(f"asked another origin: {request.url}")
            ),
        )
        page.goto(url)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture(scope="session")
def ohif():
    """OHIF must be installed."""
    folder = find_ohif()
    if folder is None:
        pytest.skip("needs OHIF")
    return folder


@pytest.fixture(scope="session")
def purged_study(ohif, tmp_path_factory, t1_series):
    """A node, and a study that went all the way: its input is purged."""
    node = RunningNode(tmp_path_factory.mktemp("purged"), {})
    try:
        _send(node, t1_series, tmp_path_factory.mktemp("files"))
        study = node.wait_ended(str(t1_series[0].StudyInstanceUID))
        assert study["state"] == "done", study
        assert study["purged_at"] is not None
        yield node, study
    finally:
        node.close()


@pytest.fixture(scope="session")
def kept_study(ohif, tmp_path_factory, odd_matrix_series):
    """A node that keeps its de-identified input for an hour, and a study with results; odd matrix."""
    node = RunningNode(tmp_path_factory.mktemp("kept"), {"retention": {"inputs_s": 3600}})
    try:
        _send(node, odd_matrix_series, tmp_path_factory.mktemp("files"))
        yield node, _with_results(node, str(odd_matrix_series[0].StudyInstanceUID))
    finally:
        node.close()


def _send(node, series, folder):
    """Send by the node's own sender: pynetdicom's loses an answer now and then on a busy machine."""
    paths = []
    for number, ds in enumerate(series):
        paths.append(folder / f"{number}.dcm")
        ds.save_as(paths[-1], enforce_file_format=True)
    assert send_to(paths, f"{node.ae_title}@127.0.0.1:{node.dimse_port}", "TEST", lambda _count: None) == {}


@pytest.fixture
def send(tmp_path):
    """A function that sends a series to a node by C-STORE."""
    return lambda node, series: _send(node, series, tmp_path)


def _with_results(node, uid, limit_s=180):
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        study = node.study(uid)
        if study and (study["stage"] == "purge" or study["state"] in ENDED):
            assert study["results"], study
            return study
        time.sleep(0.2)
    raise AssertionError("no results in time")


@pytest.fixture
def save():
    """A function that saves a picture of a page for people."""

    def saved(page, name, **options):
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SCREENSHOTS / f"{name}.png", **options)

    return saved


class Ohif:
    """OHIF's viewer page."""

    def __init__(self, page):
        self.page = page
        page.wait_for_function(
            "window.services?.displaySetService?.getActiveDisplaySets().length > 0", timeout=90_000
        )

    def series(self):
        """Modality and description of each series that is listed."""
        return self.page.evaluate(
            "window.services.displaySetService.getActiveDisplaySets()"
            ".map((set) => [set.Modality, set.SeriesDescription])"
        )

    def wait_series(self, count):
        """Wait until so many series are listed and one is drawn: OHIF undoes what is opened before."""
        self.page.wait_for_function(
            f"window.services.displaySetService.getActiveDisplaySets().length >= {count}", timeout=60_000
        )
        self.page.wait_for_function(
            """() => {
              const {viewportGridService: grid, cornerstoneViewportService: views} = window.services;
              const view = views.getCornerstoneViewport(grid.getActiveViewportId());
              return Boolean(view?.getImageIds?.().length && view.getImageData?.());
            }""",
            timeout=60_000,
        )
        return self.series()

    def open(self, description):
        """Open a series as people do: by a double click on its description."""
        self.page.get_by_text(description).first.dblclick()
        self.page.wait_for_function(
            """(text) => {
              const grid = window.services.viewportGridService.getState();
              const active = grid.viewports.get(grid.activeViewportId);
              return active.displaySetInstanceUIDs.some((uid) =>
                window.services.displaySetService.getDisplaySetByUID(uid)?.SeriesDescription?.startsWith(text));
            }""",
            arg=description,
            timeout=60_000,
        )

    def shown(self):
        """Description of the series in the active viewport."""
        return self.page.evaluate(
            """() => {
              const grid = window.services.viewportGridService.getState();
              const uids = grid.viewports.get(grid.activeViewportId)?.displaySetInstanceUIDs || [];
              return uids.map((uid) =>
                window.services.displaySetService.getDisplaySetByUID(uid)?.SeriesDescription);
            }"""
        )

    def go_to_middle(self):
        """Show the middle slice: stacks open on their first one, which is often air."""
        self.page.wait_for_function(
            """() => {
              const {viewportGridService: grid, cornerstoneViewportService: views} = window.services;
              const view = views.getCornerstoneViewport(grid.getActiveViewportId());
              if (!view?.getImageIds?.().length) return false;
              const middle = Math.floor(view.getImageIds().length / 2);
              if (view.getCurrentImageIdIndex() === middle) return true;
              window.cornerstone.utilities.jumpToSlice(view.element, {imageIndex: middle});
              return false;
            }""",
            timeout=60_000,
        )

    def pixels(self):
        """The active viewport as RGB, (rows, columns, 3)."""
        picture = self.page.locator("[data-viewportid]").first.screenshot()
        return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")).astype(int)

    def wait_pixels(self, good, what, limit_s=60):
        """Wait until the viewport's pixels are as wanted."""
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            if good(self.pixels()):
                return self.pixels()
            time.sleep(0.5)
        raise AssertionError(f"the viewport never showed {what}")

    def segmentations(self):
        """Labels of the segments of each segmentation that is loaded."""
        return self.page.evaluate(
            "window.services.segmentationService.getSegmentations()"
            ".map((one) => Object.values(one.segments).map((segment) => segment.label))"
        )


@pytest.fixture
def view(open_page):
    """A function that opens a study in OHIF, from the node's own link where a path is given."""

    def opened(node, path):
        return Ohif(open_page(node.url + path, width=1400))

    return opened


def colourful(pixels, least=60):
    """Share of pixels that are plainly coloured."""
    return float(((pixels.max(axis=2) - pixels.min(axis=2)) > least).mean())


@pytest.fixture(scope="session")
def colour_share():
    return colourful


@pytest.fixture(scope="session")
def expecting():
    """Playwright's assertions that wait: nodes render pictures slowly where much runs beside them."""
    expect.set_options(timeout=30_000)
    return expect
