"""DICOM JSON and native XML to data sets and back: nothing is lost, and nothing but our error is raised."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dicom_node.domain.errors import InvalidInstance
from dicomweb.dicom_json import JsonRules, dumps, encode_dataset
from dicomweb.json_reader import decode, loads
from dicomweb.native_model import to_xml
from dicomweb.native_model_reader import from_xml

RULES = JsonRules(bulk_root="b/", binary_limit=10**9)
#: No delimiters, no control characters, no leading or trailing padding.
WORD = st.text(
    st.characters(
        codec="utf-8", exclude_categories=("Cc", "Cs", "Zs"), exclude_characters="\\^=\ufffe\uffff"
    ),
    min_size=1,
    max_size=12,
)
ASCII = st.text(st.characters(min_codepoint=33, max_codepoint=91), min_size=1, max_size=12)
NAME = st.lists(WORD, min_size=1, max_size=3).map("^".join)
NAMES = st.dictionaries(st.sampled_from(["Alphabetic", "Ideographic", "Phonetic"]), NAME, min_size=1)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
SINGLE = st.floats(width=32, allow_nan=False, allow_infinity=False)
ODD = st.sampled_from(["NaN", "Infinity", "-Infinity"])


def integers(low: int, high: int) -> st.SearchStrategy[Any]:
    return st.integers(low, high).map(lambda n: n if abs(n) <= 2**53 else str(n))


def several(value: st.SearchStrategy[Any], *, empty: bool = True) -> st.SearchStrategy[list[Any]]:
    values = st.lists(st.one_of(st.none(), value) if empty else value, min_size=1, max_size=4)
    return values.filter(lambda found: found != [None])


VALUES = {
    "AT": several(st.integers(0, 2**32 - 1).map("{:08X}".format), empty=False),
    "CS": several(ASCII),
    "DS": several(st.one_of(st.integers(-(10**9), 10**9), st.decimals(-999, 999, places=4).map(float))),
    "FD": several(st.one_of(FINITE, ODD), empty=False),
    "FL": several(st.one_of(SINGLE, ODD), empty=False),
    "IS": several(st.integers(-(2**31), 2**31 - 1)),
    "LO": several(WORD),
    "PN": several(NAMES),
    "SL": several(integers(-(2**31), 2**31 - 1), empty=False),
    "SS": several(integers(-(2**15), 2**15 - 1), empty=False),
    "SV": several(integers(-(2**63), 2**63 - 1), empty=False),
    "UC": several(WORD),
    "UL": several(integers(0, 2**32 - 1), empty=False),
    "US": several(integers(0, 2**16 - 1), empty=False),
    "UT": WORD.map(lambda text: [text]),
    "UV": several(integers(0, 2**64 - 1), empty=False),
}
BINARY = st.binary(min_size=1, max_size=20).map(lambda data: data + b"\0" * (len(data) % 2))
ATTRIBUTE = st.one_of(
    *(values.map(lambda found, vr=vr: {"vr": vr, "Value": found}) for vr, values in VALUES.items()),
    st.sampled_from(["OB", "OW", "UN", "OV", "LO", "PN", "SQ", "US"]).map(lambda vr: {"vr": vr}),
    st.tuples(st.sampled_from(["OB", "OD", "OF", "OL", "OV", "OW", "UN"]), BINARY).map(
        lambda found: {"vr": found[0], "InlineBinary": base64.b64encode(found[1]).decode()}
    ),
)
PRIVATE = st.integers(0x1000, 0x10FF).map("0009{:04X}".format)
MODEL = st.recursive(
    st.dictionaries(PRIVATE, ATTRIBUTE, max_size=4),
    lambda inner: st.dictionaries(
        PRIVATE,
        st.one_of(
            ATTRIBUTE, st.lists(inner, min_size=1, max_size=2).map(lambda items: {"vr": "SQ", "Value": items})
        ),
        max_size=4,
    ),
    max_leaves=6,
).map(
    lambda model: (
        {"00080005": {"vr": "CS", "Value": ["ISO_IR 192"]}, "00090010": {"vr": "LO", "Value": ["ACME"]}}
        | model
    )
)


def normal(model: Any) -> Any:
    """Numbers by value, since JSON does not tell 1 from 1.0; attributes in order."""
    if isinstance(model, dict):
        return {key: normal(value) for key, value in sorted(model.items())}
    if isinstance(model, list):
        return [normal(value) for value in model]
    if isinstance(model, int | float):
        return float(model)
    return model


@given(MODEL)
def test_a_model_comes_back_from_a_data_set_as_it_was(model: dict[str, Any]) -> None:
    """F.2: every VR, empty and missing values, nested items, private attributes."""
    again = json.loads(dumps(encode_dataset(decode(model), RULES)))
    assert normal(again) == normal(model)


@given(MODEL)
def test_a_model_comes_back_from_xml_as_the_same_data_set(model: dict[str, Any]) -> None:
    """PS3.19 §A.1: the two models say the same."""
    there = encode_dataset(decode(from_xml(to_xml(model))), RULES)
    assert normal(there) == normal(encode_dataset(decode(model), RULES))


JUNK = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=6)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(
                st.sampled_from(["vr", "Value", "InlineBinary", "BulkDataURI", "00100010"]),
                st.text(max_size=9),
            ),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.one_of(PRIVATE, st.text(max_size=9)), st.one_of(JUNK, ATTRIBUTE), max_size=4))
def test_what_is_no_model_is_refused_by_our_error(model: dict[str, Any]) -> None:
    try:
        decode(model, lambda _uri: b"x")
    except InvalidInstance:
        return


@given(st.one_of(st.binary(max_size=200), JUNK.map(lambda junk: json.dumps(junk).encode())))
def test_no_body_raises_anything_else(body: bytes) -> None:
    for read in (loads, from_xml):
        try:
            read(body)
        except InvalidInstance:
            continue


@given(st.lists(st.floats(width=32), min_size=1, max_size=4))
def test_all_floats_come_back(values: list[float]) -> None:
    model = {"0018605A": {"vr": "FL", "Value": [_word(value) for value in values]}}
    found = decode(model)[0x0018605A].value
    for value, back in zip(values, found if len(values) > 1 else [found], strict=True):
        assert back == value or (math.isnan(back) and math.isnan(value))


def _word(value: float) -> float | str:
    if math.isnan(value):
        return "NaN"
    return value if math.isfinite(value) else "Infinity" if value > 0 else "-Infinity"
