"""Pages show what the index knows, in words, with the research-use notice."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest

from dicom_node.domain.run import Run, RunStatus
from dicom_node.domain.study import Stage, StudyState
from viewer.dashboard.wording import KINDS, STAGES, STATES, count_of, in_bytes, percent


class _Page(HTMLParser):
    def __init__(self, markup: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.inline: list[str] = []
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.links += [v for k in ("href", "src", "action") if (v := values.get(k))]
        if values.get("id"):
            self.ids.append(str(values["id"]))
        self.inline += [k for k in values if k == "style" or k.startswith("on")]
        if tag == "style" or (tag == "script" and "src" not in values):
            self.inline.append(tag)


@pytest.fixture
def full(world: Any) -> Any:
    world.index.put(world.record("a1"))
    world.index.decisions["a1", 1] = world.decision()
    world.index.put(
        world.record("a2", state=StudyState.PROCESSING, stage=Stage.INFER, results=(), purged_at=None)
    )
    world.index.put(
        world.record("a3", state=StudyState.REJECTED, results=(), runs=(), reason="no route: <b>CT</b>")
    )
    return world


@pytest.mark.parametrize("path", ["/", "/studies/a1", "/studies/none", "/api/docs", "/viewer/", "/?cursor=x"])
def test_every_page_shows_the_research_use_notice(full: Any, path: str) -> None:
    page = full.http.get(path).text

    assert "Research use only." in page
    assert "Not a medical device" in page


@pytest.mark.parametrize("path", ["/", "/studies/a1", "/studies/a2", "/studies/a3", "/api/docs", "/viewer/"])
def test_pages_ask_nothing_outside_hold_no_inline_code_and_repeat_no_id(full: Any, path: str) -> None:
    page = _Page(full.http.get(path).text)

    assert [link for link in page.links if link.startswith(("http:", "https:", "//", "data:"))] == []
    assert page.inline == []
    assert len(page.ids) == len(set(page.ids))


def test_list_shows_finding_confidence_links_delivery_and_purge(full: Any) -> None:
    page = full.http.get("/").text
    uid = full.index.study("a1").study_instance_uid

    assert "Intracranial volume 1523 mL" in page
    assert "confidence 97 %" in page
    assert f"/viewer/viewer?StudyInstanceUIDs={uid}" in page
    assert f"initialSeriesInstanceUID={uid}.11" in page
    assert "confirmed, 1 attempt" in page
    assert "files deleted and key destroyed" in page


def test_result_series_are_named_by_their_description_and_asked_for_once(world: Any) -> None:
    study = world.index.put(world.record("a1"))
    for result in study.results:
        world.catalog.descriptions[result.series_instance_uid] = "AI <mask> (mr-brain-extraction 1.0.0)"

    page = world.http.get("/").text
    world.http.get("/studies/a1")

    assert "AI &lt;mask&gt;" in page
    assert "AI &lt;mask&gt; (mr" not in page
    assert world.catalog.asked == 1


def test_result_series_without_a_description_are_named_by_their_kind(full: Any) -> None:
    assert "Structured report" in full.http.get("/").text


def test_state_and_stage_stand_in_words(full: Any) -> None:
    page = full.http.get("/").text

    assert "Processing" in page
    assert 'aria-current="step"' in page


def test_reason_is_escaped(full: Any) -> None:
    page = full.http.get("/").text

    assert "no route: &lt;b&gt;CT&lt;/b&gt;" in page
    assert "Test &lt;Node&gt;" in page


def test_rejected_run_says_unable_to_determine_with_its_reason(world: Any) -> None:
    run = Run("m", "1", "2.25.1", RunStatus.REJECTED, "Spacing of 7 mm is above 3 mm")
    world.index.put(world.record("a1", state=StudyState.REJECTED, runs=(run,), results=(), reason=run.reason))

    page = world.http.get("/").text

    assert "Unable to determine" in page
    assert page.count("Spacing of 7 mm is above 3 mm") == 1


def test_study_page_shows_routing_reasons_and_every_result_object(full: Any) -> None:
    page = full.http.get("/studies/a1").text

    assert "1 slice is fewer than 40" in page
    for result in full.index.study("a1").results:
        assert result.sop_instance_uid in page


def test_empty_node_says_where_to_send(world: Any) -> None:
    page = world.http.get("/").text

    assert "No study yet" in page
    for expected in ("DICOMNODE", "127.0.0.1", "11112", "http://node/dicom-web/studies"):
        assert expected in page


def test_unknown_study_is_404(world: Any) -> None:
    assert world.http.get("/studies/none").status_code == 404
    assert world.http.get("/fragments/studies/none").status_code == 404


@pytest.mark.parametrize("path", ["/fragments/studies", "/fragments/studies/a1"])
def test_fragment_answers_304_until_something_changes(full: Any, path: str) -> None:
    first = full.http.get(path)
    tag = {"if-none-match": first.headers["etag"]}

    assert full.http.get(path, headers=tag).status_code == 304
    full.index.put(full.record("a1", version=2))
    assert full.http.get(path, headers=tag).status_code == 200


def test_list_pages_by_cursor(world: Any) -> None:
    for number in range(30):
        world.index.put(world.record(f"b{number:02}"))

    page = world.http.get("/").text

    assert "Older studies" in page
    assert world.http.get("/?cursor=25").text.count("<article") == 5


def test_words_exist_for_every_state_and_stage() -> None:
    assert set(STATES) == set(StudyState)
    assert set(STAGES) == set(Stage)
    assert all(KINDS.values())


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (14_302_000, "14.3 MB")]
)
def test_sizes_read_well(count: int, text: str) -> None:
    assert in_bytes(count) == text


@pytest.mark.parametrize(
    ("share", "text"), [(0, "0 %"), (0.973, "97 %"), (0.9999, "99.9 %"), (0.997, "99.7 %"), (1, "100 %")]
)
def test_confidence_below_one_never_reads_as_certain(share: float, text: str) -> None:
    assert percent(share) == text


def test_counts_read_well() -> None:
    assert count_of(1, "instance") == "1 instance"
    assert count_of(1810, "instance") == "1,810 instances"
