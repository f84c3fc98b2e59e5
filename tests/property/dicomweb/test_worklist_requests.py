"""Whatever a client sends to the worklist, it gets an answer that says what is wrong, and no 500."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from workitem_samples import WORKITEM, order
from worklist_node import WorklistNode, worklist_engine

from dicom_node.domain.workitem_rules import RULES, match_keys

__all__ = ["worklist_engine"]

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
UIDS = st.sampled_from([WORKITEM, "2.25.404", "1.2.840.10008.5.1.4.34.5", "1.2.840.10008.5.1.4.34.5.1"])
TEXT = st.text(max_size=20)
NAMES = st.text(
    st.characters(exclude_characters="/", exclude_categories=["Cs"]), min_size=1, max_size=20
).filter(lambda text: text.strip("."))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
ATTRIBUTES = st.dictionaries(
    st.sampled_from([rule.tag for rule in RULES]) | st.text("0123456789ABCDEFG", min_size=7, max_size=9),
    st.fixed_dictionaries(
        {}, optional={"vr": st.sampled_from(["CS", "SQ", "PN", "DT", "UI", "LO", "XX"]), "Value": VALUES}
    )
    | VALUES,
    max_size=6,
)


@pytest.fixture
def node(worklist_engine):
    made = WorklistNode(worklist_engine)
    assert made.create().status_code == 201
    return made


def answered(response):
    assert response.status_code < 500, response.text
    if response.status_code >= 400:
        assert json.loads(response.content)["detail"]
    return response.status_code


@QUICK
@given(changes=ATTRIBUTES, removed=st.sets(st.sampled_from([rule.tag for rule in RULES])))
def test_any_order_is_taken_or_refused(node, changes, removed):
    body = {tag: a for tag, a in order().items() if tag not in removed} | changes
    status = answered(node.ask("POST", "/workitems", body))
    assert status in {201, 400, 409}


@QUICK
@given(
    body=ATTRIBUTES | VALUES, uid=UIDS, path=st.sampled_from(["", "/state", "/state/AE", "/cancelrequest/AE"])
)
def test_any_change_is_taken_or_refused(node, body, uid, path):
    answered(node.ask("PUT" if "state" in path else "POST", f"/workitems/{uid}{path}", body))
    assert node.ask("GET", f"/workitems/{WORKITEM}").status_code == 200


@QUICK
@given(
    content=st.binary(max_size=200),
    kind=st.sampled_from(
        [
            "application/dicom+json",
            "application/dicom+xml",
            'multipart/related; type="application/dicom+xml"; boundary=b',
            "text/plain",
            "",
        ]
    ),
)
def test_any_bytes_are_refused(node, content, kind):
    assert answered(node.ask("POST", "/workitems", content=content, content_type=kind)) in {400, 413, 415}


@QUICK
@given(
    params=st.lists(
        st.tuples(
            st.sampled_from(
                [
                    *match_keys().values(),
                    *match_keys(),
                    "limit",
                    "offset",
                    "includefield",
                    "filter",
                    "fuzzymatching",
                    "deletionlock",
                ]
            )
            | TEXT,
            TEXT | st.sampled_from(["20260101-", "-", "*", "?", '""', "1\\2", "all", "true", "0"]),
        ),
        max_size=4,
    )
)
def test_any_search_and_filter_is_answered(node, params):
    assert answered(node.ask("GET", "/workitems", params=params)) in {200, 204, 206, 400, 413}
    path = "/workitems/1.2.840.10008.5.1.4.34.5.1/subscribers/WATCH"
    assert answered(node.ask("POST", path, params=params)) in {201, 400}


@QUICK
@given(uid=NAMES, title=NAMES)
def test_any_path_is_answered(node, uid, title):
    from urllib.parse import quote

    path = f"/workitems/{quote(uid, safe='')}/subscribers/{quote(title, safe='')}"
    for method in ("POST", "DELETE"):
        assert answered(node.ask(method, path)) in {200, 201, 400, 404, 405}
