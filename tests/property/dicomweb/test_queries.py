from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

NAMES = st.one_of(
    st.sampled_from(
        [
            "StudyDate",
            "00080020",
            "PatientName",
            "00100010",
            "StudyInstanceUID",
            "ModalitiesInStudy",
            "Modality",
            "SeriesNumber",
            "RequestAttributesSequence.ScheduledProcedureStepID",
            "00400275.00400009",
            "includefield",
            "limit",
            "offset",
            "fuzzymatching",
            "emptyvaluematching",
            "InstanceNumber",
            "00091001",
            "7FE00010",
        ]
    ),
    st.text(max_size=12),
)
VALUES = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        [
            "",
            "*",
            "?",
            "2024*",
            "20240101-20241231",
            "-",
            "99999999-",
            "1.2,1.2.3",
            "\\",
            "true",
            "false",
            "0",
            "all",
            "1,2,,",
            "^=^",
            "%",
            "_",
            "'",
        ]
    ),
    st.integers(-5, 10**20).map(str),
)
RESOURCES = st.sampled_from(
    [
        "/studies",
        "/series",
        "/instances",
        "/studies/2.25.10/series",
        "/studies/2.25.10/instances",
        "/studies/2.25.10/series/2.25.20/instances",
    ]
)


@pytest.fixture(scope="module")
def service(support: Any) -> Any:
    node = support.Node()
    for number in (1, 2, 3):
        node.publish(support.slice_dataset(number))
    return support.Client(node.app)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(RESOURCES, st.lists(st.tuples(NAMES, VALUES), max_size=4))
def test_any_query_is_answered_or_refused_with_a_reason(
    service: Any, resource: str, query: list[tuple[str, str]]
) -> None:
    response = service.get(f"/dicom-web{resource}?{urlencode(query, errors='replace')}")
    assert response.status_code in {200, 204, 400}
    if response.status_code == 400:
        assert response.json()["detail"]
    elif response.status_code == 204:
        assert not response.content
    else:
        assert isinstance(response.json(), list)
        assert len(response.json()) <= 3


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=60))
def test_any_raw_query_string_is_answered_or_refused(service: Any, raw: bytes) -> None:
    text = "".join(f"%{byte:02X}" if byte % 3 else chr(byte) for byte in raw if byte > 32)
    text = text.encode("ascii", "ignore").decode().replace("#", "")
    assert service.get(f"/dicom-web/studies?{text}").status_code in {200, 204, 400}


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 4), st.integers(0, 4))
def test_pages_of_any_size_hold_every_row_once(service: Any, limit: int, start: int) -> None:
    found: list[str] = []
    offset = start
    while True:
        page = service.get(f"/dicom-web/instances?limit={limit}&offset={offset}")
        found += [row["00080018"]["Value"][0] for row in page.json()] if page.content else []
        offset += limit
        if "warning" not in page.headers:
            break
    assert found == ["2.25.20.1", "2.25.20.2", "2.25.20.3"][start:]
