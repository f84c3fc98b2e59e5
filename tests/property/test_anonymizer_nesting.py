from __future__ import annotations

import re
import string

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, MRImageStorage

from anonymizer.codec import SHORT_VRS, Dataset, Element
from anonymizer.engine import Engine
from anonymizer.errors import CannotVouch, Unreadable
from anonymizer.part10 import Part10, standard_dictionary
from anonymizer.plan import REPEATING
from anonymizer.table import load_attribute_types, load_table
from anonymizer.text.vocabulary import load_vocabulary
from anonymizer.uids import UidMapper

TABLE = load_table()
DICTIONARY = standard_dictionary(TABLE)
PART10 = Part10(DICTIONARY)
KEY = bytes(range(32))
ENGINE = Engine(KEY)

LISTED = sorted(tag for tag in TABLE.by_tag if tag >> 16 >= 8)
SEQUENCES = sorted(tag for tag, vr in DICTIONARY.items() if vr == "SQ" and tag >> 16 >= 8)
OTHERS = sorted(
    tag
    for tag, vr in DICTIONARY.items()
    if vr in {"LO", "SH", "UI", "PN", "CS", "LT", "UT", "DA"}
    and tag >> 16 >= 8
    and tag >> 24 not in REPEATING
)
TEXT_VRS = ("LO", "SH", "UT", "LT", "PN", "ST", "UC", "AE", "CS")
BODY_PARTS = load_attribute_types().body_parts
CANARY = "xqcanaryqx"

tags = st.one_of(
    st.sampled_from(LISTED),
    st.sampled_from(OTHERS),
    st.integers(0x00090010, 0x7FFF00FF).map(lambda tag: tag | 0x10000),
    st.integers(0x00081000, 0x5FFFFFFF).filter(lambda tag: tag >> 16 >= 8 and tag >> 16 != 0xFFFE),
)


@st.composite
def leaves(draw: st.DrawFn) -> tuple[int, Element]:
    tag = draw(tags)
    known = DICTIONARY.get(tag)
    vr = known if known in SHORT_VRS | {"UT", "UC", "OB"} else draw(st.sampled_from([*TEXT_VRS, "OB", "UN"]))
    assert vr is not None
    if vr == "UI":
        return tag, Element(vr, b"1.2.276.0.9999." + str(draw(st.integers(1, 50))).encode())
    return tag, Element(vr, CANARY.encode())


def datasets() -> st.SearchStrategy[Dataset]:
    flat = st.lists(leaves(), max_size=5).map(dict)

    def deeper(inner: st.SearchStrategy[Dataset]) -> st.SearchStrategy[Dataset]:
        sequence = st.tuples(
            st.sampled_from(SEQUENCES), st.lists(inner, max_size=3).map(lambda items: Element("SQ", items))
        )
        return st.tuples(flat, st.lists(sequence, max_size=2).map(dict)).map(lambda two: two[0] | two[1])

    return st.recursive(flat, deeper, max_leaves=12)


def identified(dataset: Dataset) -> Dataset:
    return {
        **dataset,
        0x00080016: Element("UI", MRImageStorage.encode()),
        0x00080018: Element("UI", b"1.2.276.0.9999.3"),
        0x0020000D: Element("UI", b"1.2.276.0.9999.1"),
        0x0020000E: Element("UI", b"1.2.276.0.9999.2"),
        0x00100010: Element("PN", f"{CANARY}^{CANARY}".encode()),
        0x00100020: Element("LO", CANARY.encode()),
        0x00280301: Element("CS", b"NO"),
    }


def assert_has_advice(exc: CannotVouch) -> None:
    assert exc.advice


def assert_fixed_words(exc: CannotVouch) -> None:
    """The message is made of our words and a keyword of the standard, nothing else."""
    assert re.fullmatch(
        r"the original value of (PatientName|PatientID) stands in this attribute; the object is kept back;"
        r" look at it before you release it",
        exc.advice,
    )
    assert exc.keyword == "ManufacturerModelName"


def refused(exc: CannotVouch, secret: str) -> None:
    """The secret stood in an attribute that the profile keeps, or the data set is no valid one."""
    assert exc.rule in {"identity-left", "no-item", "truncated"}
    assert secret.casefold() not in exc.advice.casefold() + exc.rule


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(datasets(), st.sampled_from([ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian]))
def test_no_canary_leaves_at_any_nesting(dataset, syntax):
    data = PART10.write(identified(dataset), syntax)
    try:
        out = ENGINE.deidentify(data)
    except CannotVouch as exc:
        refused(exc, CANARY)
        return
    assert CANARY.encode() not in out.data.lower()
    assert b"1.2.276.0.9999" not in out.data
    mapper = UidMapper(KEY)
    assert all(mapper.pseudonym(original) == pseudonym for pseudonym, original in out.uids.items())
    assert ENGINE.deidentify(data).data == out.data


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(datasets(), st.sampled_from([ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian]))
def test_what_is_written_is_read_back(dataset, syntax):
    try:
        once = PART10.write(PART10.read(PART10.write(identified(dataset), syntax)).dataset, syntax)
    except Unreadable:
        return  # a string where implicit VR makes a sequence of it
    assert PART10.write(PART10.read(once).dataset, syntax) == once


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300), st.sampled_from([ExplicitVRLittleEndian, ImplicitVRLittleEndian]))
def test_any_bytes_are_read_or_refused(noise, syntax):
    data = PART10.write(identified({}), syntax) + noise
    try:
        PART10.read(data)
    except Unreadable as exc:
        assert_has_advice(exc)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_any_file_is_deidentified_or_refused(noise):
    for data in (noise, bytes(128) + b"DICM" + noise):
        try:
            ENGINE.deidentify(data)
        except CannotVouch as exc:
            assert_has_advice(exc)


names = st.text(string.ascii_letters, min_size=3, max_size=12).filter(
    lambda n: not load_vocabulary().is_common(n.casefold()) and n.upper() not in BODY_PARTS
)


@settings(max_examples=200, deadline=None)
@given(names, names, st.sampled_from(["{}", "scan of {} today", "{}-follow up", "({})"]))
def test_names_in_text_that_stays_are_taken_out(family, given_name, text):
    dataset = identified({})
    dataset[0x00100010] = Element("PN", f"{family}^{given_name}".encode())
    dataset[0x00181078] = Element("DT", b"")
    dataset[0x00200010] = Element("SH", b"")
    dataset[0x00081090] = Element("LO", text.format(given_name.upper()).encode())
    out = ENGINE.deidentify(PART10.write(dataset, ExplicitVRLittleEndian))
    left = PART10.read(out.data).dataset[0x00081090].value
    assert isinstance(left, bytes)
    assert given_name.lower().encode() not in re.findall(rb"\w+", left.lower())
