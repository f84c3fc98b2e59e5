"""OHIF's files are served compressed and cached, its configuration is the node's."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from viewer.ohif.release import MARKER, marker_text

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def ohif(world: Any, tmp_path: Path) -> Any:
    folder = tmp_path / "no-ohif"  # where the application looks: added while it runs
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<html>OHIF</html>")
    (folder / "app.bundle.0f6159c501addfe9.js").write_text("alert()" * 500)
    (folder / "app.bundle.0f6159c501addfe9.js.gz").write_bytes(gzip.compress(b"alert()" * 500))
    (folder / "0ddf166f7a343eda.wasm").write_bytes(b"\0asm")
    (folder / "assets" / "a.png").write_bytes(b"png")
    (folder / MARKER).write_text(marker_text())
    (tmp_path / "secret.txt").write_text("secret")
    return world.http


@pytest.mark.parametrize("path", ["", "viewer?StudyInstanceUIDs=1", "segmentation", "some/deep/path"])
def test_paths_that_are_no_asset_get_the_index(ohif: Any, path: str) -> None:
    answer = ohif.get(f"/viewer/{path}")

    assert (answer.status_code, answer.text) == (200, "<html>OHIF</html>")
    assert answer.headers["cache-control"] == "no-cache"


def test_mount_without_slash_redirects(ohif: Any) -> None:
    answer = ohif.get("/viewer")

    assert (answer.status_code, answer.headers["location"]) == (308, "/viewer/")


def test_script_is_sent_compressed_to_who_takes_it_and_plain_to_others(ohif: Any) -> None:
    url = "/viewer/app.bundle.0f6159c501addfe9.js"
    packed = ohif.get(url, headers={"accept-encoding": "br, gzip"})
    plain = ohif.get(url, headers={"accept-encoding": "identity"})
    refused = ohif.get(url, headers={"accept-encoding": "gzip;q=0"})

    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == plain.content == refused.content
    assert "content-encoding" not in plain.headers
    assert "content-encoding" not in refused.headers
    assert packed.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
    assert packed.headers["content-type"].startswith("text/javascript")
    assert packed.headers["cache-control"] == "public, max-age=31536000, immutable"


def test_wasm_has_its_media_type_and_is_cached_for_good(ohif: Any) -> None:
    answer = ohif.get("/viewer/0ddf166f7a343eda.wasm")

    assert answer.headers["content-type"] == "application/wasm"
    assert "immutable" in answer.headers["cache-control"]


def test_known_etag_answers_304(ohif: Any) -> None:
    first = ohif.get("/viewer/assets/a.png")

    again = ohif.get("/viewer/assets/a.png", headers={"if-none-match": first.headers["etag"]})

    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path",
    [
        "../secret.txt",
        "%2e%2e/secret.txt",
        "assets/..%2f..%2fsecret.txt",
        ".installed.json",
        "%2e%2e%5csecret.txt",
    ],
)
def test_nothing_outside_the_installation_is_served(ohif: Any, path: str) -> None:
    answer = ohif.get(f"/viewer/{path}")

    assert "secret" not in answer.text
    assert "integrity" not in answer.text


def test_missing_asset_is_404_not_the_index(ohif: Any) -> None:
    assert ohif.get("/viewer/gone.bundle.js").status_code == 404


def test_configuration_points_at_this_node_and_carries_the_notice(ohif: Any) -> None:
    answer = ohif.get("/viewer/app-config.js")
    literal = answer.text.removeprefix("window.config = ").split("\n};\n", 1)[0] + "}"
    config = json.loads(literal)

    assert answer.headers["content-type"].startswith("text/javascript")
    assert config["routerBasename"] == "/viewer"
    assert config["dataSources"][0]["configuration"]["qidoRoot"] == "/dicom-web"
    assert config["disableConfirmationPrompts"] is True
    assert "Research use only" in answer.text
    assert "http" not in literal.replace("httpErrorHandler", "")


def test_site_name_cannot_break_out_of_the_script(ohif: Any) -> None:
    assert "Test <Node>" not in ohif.get("/viewer/app-config.js").text


def test_viewer_may_compile_wasm_and_the_dashboard_may_not(ohif: Any) -> None:
    assert "'wasm-unsafe-eval'" in ohif.get("/viewer/").headers["content-security-policy"]
    page = ohif.get("/").headers
    assert "unsafe" not in page["content-security-policy"]
    assert "frame-ancestors 'none'" in page["content-security-policy"]
    assert page["x-content-type-options"] == "nosniff"
    assert page["referrer-policy"] == "no-referrer"


def test_missing_viewer_answers_503_and_says_how_to_add_it(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("viewer.ohif.release.standard_folders", lambda *_: ())

    answer = world.http.get("/viewer/viewer?StudyInstanceUIDs=1")

    assert answer.status_code == 503
    assert "viewer.ohif.install" in answer.text
