"""The same requests to a real Orthanc and to this service, on the same objects; each difference is explained.

docs/beside-orthanc.md holds the table; `pytest tests/integration/dicomweb/test_beside_orthanc.py
--write-conformance` writes it anew.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import web_objects
from dicomweb_node import Node, Served, slice_dataset, to_bytes
from real_orthanc import RealOrthanc, require_orthanc
from web_requests import REQUESTS, WHY, Peer, shown

from dicom_node.index.catalog import SqlCatalog
from dicom_node.index.database import open_database, upgrade

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pydicom

pytestmark = pytest.mark.integration

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "beside-orthanc.md"


def objects() -> list[pydicom.Dataset]:
    return [
        *(slice_dataset(number) for number in (1, 2, 3)),
        web_objects.mask(),
        web_objects.float_map(),
        web_objects.document(),
        web_objects.of_sample("JPEG2000.dcm", "2.25.24"),
        web_objects.of_sample("reportsi.dcm", "2.25.25"),
        web_objects.of_sample("examples_palette.dcm", "2.25.26"),
        web_objects.of_sample("MR_small_RLE.dcm", "2.25.27"),
        slice_dataset(1, study="2.25.11", series="2.25.30", PatientName="Other^Two", StudyDate="20230505"),
    ]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[str, str]]]:
    """What each request shows: (Orthanc, node)."""
    require_orthanc()
    folder = tmp_path_factory.mktemp("beside")
    database = open_database(f"sqlite:///{folder / 'node.db'}")
    upgrade(database)
    node = Node(catalog=SqlCatalog(database))
    orthanc = RealOrthanc(folder / "orthanc", {})
    try:
        for ds in objects():
            node.publish(to_bytes(ds))
            orthanc.upload([ds])
        with Served(node.app) as server:
            theirs, ours = Peer(orthanc.dicomweb_url), Peer(server.url)
            seen = {what: (_steady(orthanc, theirs, what), shown(ours, what)) for what in REQUESTS}
            theirs.close()
            ours.close()
            yield seen
    finally:
        orthanc.discard()
        database.dispose()


def _steady(orthanc: RealOrthanc, peer: Peer, what: str) -> str:
    """What Orthanc shows; now and then it crashes over compressed pixels, and is asked again."""
    for _ in range(4):
        answer = shown(peer, what)
        if answer != "no answer":
            break
        orthanc.process.wait(30)
        orthanc.resume()
    return answer


def test_every_difference_is_explained_and_no_explanation_is_left_over(
    answers: dict[str, tuple[str, str]],
) -> None:
    different = {what: pair for what, pair in answers.items() if pair[0] != pair[1]}
    assert {w: p for w, p in different.items() if w not in WHY} == {}
    assert sorted(WHY) == sorted(different), json.dumps(different, indent=1)


def test_the_document_shows_what_was_seen(
    answers: dict[str, tuple[str, str]], request: pytest.FixtureRequest
) -> None:
    lines = [
        "# Beside Orthanc",
        "",
        "The same requests, on the same objects, to Orthanc 1.10.1 with its DICOMweb plugin 1.7 and to this",
        "node. `tests/integration/dicomweb/test_beside_orthanc.py` asks both and writes this page",
        "(`--write-conformance`).",
        "",
        "| request | Orthanc | node | why they differ |",
        "|---|---|---|---|",
    ]
    lines += [f"| {what} | {a} | {b} | {WHY.get(what, '')} |" for what, (a, b) in answers.items()]
    text = "\n".join(lines) + "\n"
    if request.config.getoption("--write-conformance", default=False):
        DOCUMENT.write_text(text, encoding="utf-8")
    assert DOCUMENT.read_text(encoding="utf-8") == text
