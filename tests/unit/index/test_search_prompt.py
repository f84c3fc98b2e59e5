"""Searches that a statement answers find what the general way finds."""

import pytest
from catalog_contract import catalog
from index_samples import entry

from dicom_node.domain.catalog import CatalogQuery, QueryLevel
from dicom_node.index.database import reading
from dicom_node.index.search import search
from dicom_node.index.search_prompt import answer, is_prompt

__all__ = ["catalog"]

STUDY, SERIES, INSTANCE = QueryLevel.STUDY, QueryLevel.SERIES, QueryLevel.INSTANCE


@pytest.fixture
def filled(catalog):
    """Three studies of two series with three instances each; what names them follows from the first."""
    entries = [
        entry(study, series, number) for study in (1, 2, 3) for series in (1, 2) for number in (1, 2, 3)
    ]
    catalog.publish(entries)
    return entries


def queries(entries):
    one = entries[4]
    study, series = one.study_instance_uid, one.series_instance_uid
    for page in ({}, {"limit": 1}, {"limit": 2, "offset": 1}, {"offset": 50}):
        for tag in ("0020000D", "00100020", "00080050"):
            for value in (one.attributes.get(tag, {}).get("Value", ["none"])[0], "nobody"):
                yield CatalogQuery(STUDY, matches={tag: f"{value} "}, **page)
        for within in (study, "2.25.404"):
            yield CatalogQuery(SERIES, study_instance_uid=within, **page)
            for asked in (None, frozenset(), frozenset({"00200013"}), frozenset({"00280010"})):
                yield CatalogQuery(
                    INSTANCE,
                    study_instance_uid=within,
                    series_instance_uid=series,
                    attributes=asked,
                    **page,
                )


def test_prompt_searches_find_what_the_general_way_finds(filled, engine):
    seen = 0
    for query in queries(filled):
        assert is_prompt(query)
        with reading(engine) as connection:
            quick, thorough = answer(connection, query), search(connection, query)
        assert quick.total == thorough.total, query
        assert quick.rows == thorough.rows, query
        seen += len(quick.rows)
    assert seen > 30


@pytest.mark.parametrize(
    "query",
    [
        CatalogQuery(STUDY),
        CatalogQuery(STUDY, matches={"00100020": "P*"}),
        CatalogQuery(STUDY, matches={"00100020": '""'}),
        CatalogQuery(STUDY, matches={"00100020": ""}),
        CatalogQuery(STUDY, matches={"0020000D": "2.25.1,2.25.2"}),
        CatalogQuery(STUDY, matches={"00100020": "a\\b"}),
        CatalogQuery(STUDY, matches={"00100010": "Name"}),
        CatalogQuery(STUDY, matches={"00100020": "P-1", "00080020": "20240101"}),
        CatalogQuery(STUDY, matches={"00100020": "P-1"}, fuzzy=True),
        CatalogQuery(SERIES),
        CatalogQuery(SERIES, study_instance_uid="2.25.1", matches={"00080060": "MR"}),
        CatalogQuery(INSTANCE, study_instance_uid="2.25.1"),
    ],
)
def test_other_searches_are_none(query):
    assert not is_prompt(query)


def test_many_rows_are_left_to_the_general_way(catalog, engine):
    entries = [entry(1, 1, number) for number in range(1, 102)]
    catalog.publish(entries)
    query = CatalogQuery(
        INSTANCE,
        study_instance_uid=entries[0].study_instance_uid,
        series_instance_uid=entries[0].series_instance_uid,
    )
    with reading(engine) as connection:
        assert answer(connection, query) is None
    assert catalog.search(query).total == 101
