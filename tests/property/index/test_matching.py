"""What SQL says of a search is what the conditions say of each data set."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from index_samples import entry

from dicom_node.domain.attribute_levels import level_of
from dicom_node.domain.catalog import CatalogQuery, QueryLevel
from dicom_node.index.catalog import SqlCatalog
from dicom_node.index.conditions import read_conditions, zone_of
from dicom_node.index.database import open_database, upgrade
from dicom_node.index.date_times import moment, read_moments
from dicom_node.index.person_names import sound, words
from dicom_node.index.value_tests import glob

NAMES = [
    "Doe^John",
    "doe^jane^^",
    "Müller^Jörg",
    "O'Neil^Ann-Mary",
    "DOE",
    "Yamada^T=山田^太郎=やまだ^たろう",
]
TEXTS = ["A1", "a1", "A%1", "A_1", "[A]1", "é", "A\\1", "A", "B"]
DAYS = ["20240101", "20240102", "20231231", None, "not a date"]
TIMES = ["10", "101112.5", "235959", None]
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_UID = {QueryLevel.STUDY: "0020000D", QueryLevel.SERIES: "0020000E", QueryLevel.INSTANCE: "00080018"}


def name(text):
    return {"vr": "PN", "Value": [dict(zip(_GROUPS, text.split("="), strict=False))]}


def study(n):
    request = {"00400009": {"vr": "SH", "Value": [TEXTS[n % 9]]}}
    return [
        entry(
            n,
            series=series,
            modality=("MR", "CT", "SEG")[(n + series) % 3],
            t00100010=name(NAMES[n % 6]) if n % 5 else None,
            t00080090=name(NAMES[n % 5]),
            t00100020=TEXTS[n % 9],
            t00080050=TEXTS[n * 3 % 9] if n % 4 else None,
            t00080020=DAYS[n % 5],
            t00080030=TIMES[n % 4],
            t00081030=TEXTS[n * 7 % 9],
            t00101030={"vr": "DS", "Value": [n * 0.5]},
            t00200011=n,
            t00400275={"vr": "SQ", "Value": [request, {}][: n % 3]},
        )
        for series in (1, 2)[: n % 2 + 1]
    ]


ENTRIES = [one for n in range(1, 19) for one in study(n)]


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    engine = open_database(f"sqlite:///{tmp_path_factory.mktemp('index') / 'node.db'}")
    upgrade(engine)
    catalog = SqlCatalog(engine)
    catalog.publish(ENTRIES)
    yield catalog
    engine.dispose()


def wild(values):
    plain = st.sampled_from([value for value in values if value])
    cut = st.builds(
        lambda value, at, mark: value[:at] + mark + value[at + 1 :],
        plain,
        st.integers(0, 4),
        st.sampled_from("*?"),
    )
    return st.one_of(
        plain,
        cut,
        st.sampled_from(["", "*", "?", '""', "A1\\B", "A,B"]),
        st.text("Aa1*?%_[]é^= ", max_size=5),
    )


def ranges(values):
    known = st.sampled_from([value for value in values if value and value[0] in "012"])
    return st.one_of(
        known,
        known.map("-{}".format),
        known.map("{}-".format),
        st.builds("{}-{}".format, known, known),
        st.just('""'),
    )


KEYS = {
    "00100010": wild([*NAMES, "doe jon", "muller"]),
    "00080090": wild(NAMES),
    "00100020": wild(TEXTS),
    "00080050": wild(TEXTS),
    "00081030": wild(TEXTS),
    "00080020": ranges(DAYS),
    "00080030": ranges(TIMES),
    "00080061": wild(["MR", "CT,SEG", "CT\\MR", "M?", "*R"]),
    "00101030": st.sampled_from(["2.5", "3", '""', "1e0"]),
    "0020000D": st.sampled_from(["2.25.3", "2.25.3,2.25.5", "1.2"]),
    "00201206": st.sampled_from(["1", "2"]),
    "00080060": wild(["MR", "CT"]),
    "00200011": st.sampled_from(["3", "4.0", "2.5", "1e99", '""']),
    "00400275.00400009": wild(TEXTS),
    "00400275": st.sampled_from(["", '""']),
    "0020000E": st.sampled_from(["2.25.3.1", "2.25.4.2,2.25.5.1"]),
}


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_sql_and_conditions_agree(catalog, data):
    level = data.draw(st.sampled_from(list(QueryLevel)))
    keys = [key for key in KEYS if level_of(key[:8]).depth <= level.depth]
    chosen = data.draw(st.lists(st.sampled_from(keys), max_size=3, unique=True))
    query = CatalogQuery(
        level,
        matches={key: data.draw(KEYS[key]) for key in chosen},
        fuzzy=data.draw(st.booleans()),
        empty_matching=data.draw(st.booleans()),
        multiple_matching=data.draw(st.booleans()),
    )
    try:
        conditions = read_conditions(query)
    except ValueError:
        with pytest.raises(ValueError, match=r"needed|wild|belongs|at most|no sequence|cannot|matched by"):
            catalog.search(query)
        return
    page = catalog.search(query)
    every = catalog.search(CatalogQuery(level))
    expected = [
        row[_UID[level]]["Value"]
        for row in every.rows
        if all(c.accepts(row, zone_of(row)) for c in conditions)
    ]
    assert [row[_UID[level]]["Value"] for row in page.rows] == expected
    assert page.total == len(expected)


@given(st.text(), st.text())
def test_names_fold_once_and_for_all(one, other):
    found = words(one)
    assert words("^".join(found)) == found
    assert set(words(f"{one}^{other}")) == {*found, *words(other)}
    for word in found:
        assert sound(word) == "" or len(sound(word)) == 4


@given(st.text("ab*?", max_size=8), st.text("ab", max_size=8))
def test_patterns_match_as_regular_expressions_do(pattern, text):
    import re

    expression = "".join({"*": ".*", "?": "."}.get(c, c) for c in pattern)
    assert glob(pattern, text) == (re.fullmatch(expression, text) is not None)


@given(st.text("0123456789+-. ", max_size=24))
def test_any_text_is_a_span_of_time_or_none(text):
    for span in (moment(text), read_moments(text)):
        assert span is None or len(span) == 2


@given(st.datetimes(), st.integers(4, 14).filter(lambda n: n % 2 == 0))
def test_date_time_lies_within_itself_cut_short(when, digits):
    whole = f"{when.year:04}{when:%m%d%H%M%S.%f}"
    outer, inner = moment(whole[:digits]), moment(whole)
    assert outer[0] <= inner[0] <= inner[1] <= outer[1]
