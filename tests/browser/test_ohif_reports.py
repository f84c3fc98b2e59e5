"""OHIF on the reports of every task: what is drawn, and what can be read; odd and even matrices."""

import io
from dataclasses import replace

import dicomweb_node
import pydicom
import pytest
from predicted_series import MADE_AT, derive_uid, make_case
from predicted_tasks import card_of, classified, detected, rejected

from dicom_node.domain.run import RejectionKind
from inference.encode.encoder import Encoder
from viewer.headers import SecurityHeaders
from viewer.ohif.serving import create_router

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

#: Model to its prediction.
TASKS = {
    "segmenter": lambda case: case,
    "classifier": classified,
    "detector": detected,
    "refuser": lambda case: rejected(case, RejectionKind.QUALITY),
}


def _predictions(case):
    for model, task in TASKS.items():
        prediction = task(case).prediction
        yield replace(prediction, model=replace(prediction.model, name=model, version="1"))


#: (rows, columns): one on which viewers fail first, and one that packs into whole bytes.
ODD, EVEN = (181, 217), (256, 256)


@pytest.fixture(scope="module")
def shelf(ohif, request):
    """A study with the results of four models, as the node serves it."""
    rows, columns = request.param
    case = make_case(9, rows, columns)
    node = dicomweb_node.Node()
    node.app.include_router(create_router(ohif, site="Test", render=None))
    node.app.add_middleware(SecurityHeaders)
    results = Encoder(derive_uid, lambda: MADE_AT, card=card_of).encode([*_predictions(case)], case.study)
    for part10 in [*case.study.data.values(), *(result.data for result in results)]:
        node.publish(pydicom.dcmread(io.BytesIO(part10)))
    with dicomweb_node.Served(node.app) as server:
        node.url = server.url.removesuffix("/dicom-web")
        yield node, case, f"{rows}x{columns}"


@pytest.fixture
def opened(shelf, view):
    node, case, matrix = shelf
    viewer = view(node, f"/viewer/viewer?StudyInstanceUIDs={case.study.study_instance_uid}")
    viewer.wait_series(17)
    return viewer, matrix


def _texts(viewer, part):
    viewer.page.wait_for_function(
        """(part) => [...document.querySelectorAll('svg text')].some((t) => t.textContent.includes(part))""",
        arg=part,
        timeout=60_000,
    )
    return viewer.page.evaluate("[...document.querySelectorAll('svg text')].map((text) => text.textContent)")


@pytest.mark.parametrize(
    ("shelf", "model", "expected"),
    [
        (ODD, "segmenter", ("mL", "Area: ", "Certainty of Finding: 97.40 %")),
        (EVEN, "classifier", ("Probability of Glioma: 91.20 %", "Probability of Meningioma: 5.00 %")),
        (ODD, "detector", ("Certainty of Finding: 83.00 %", "Diameter: 12.50 mm", "Depth: 7.50 mm")),
    ],
    indirect=["shelf"],
)
def test_findings_are_drawn_with_their_numbers(opened, save, model, expected):
    viewer, matrix = opened
    viewer.open(f"AI measurements ({model}")
    (drawn,) = _texts(viewer, expected[0])
    assert all(part in drawn for part in expected)
    # No code of a finding site, which OHIF would write for a group.
    assert "12738006" not in drawn
    save(viewer.page, f"ohif-{model}-{matrix}")


@pytest.mark.parametrize("shelf", [EVEN], indirect=True)
def test_rejection_and_pdf_can_be_read(opened, save, expecting):
    viewer, matrix = opened
    viewer.open("AI report: no result")
    for words in ("Unable to determine", "Image quality is not sufficient", "Research use only"):
        expecting(viewer.page.get_by_text(words, exact=False).last).to_be_visible(timeout=60_000)
    save(viewer.page, f"ohif-rejection-{matrix}")
    viewer.open("AI PDF report (classifier")
    document = viewer.page.locator('object[type="application/pdf"], iframe, embed').first
    document.wait_for(state="attached", timeout=60_000)
