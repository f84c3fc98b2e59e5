"""docs/conformance.md says what the code does: its tables are made here (PS3.2 Annex N).

`make conformance` writes them anew.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from conformance_clauses import TITLES, clauses, order, title_of
from conformance_tables import TABLES, filled, names_in

STATEMENT = Path(__file__).parents[3] / "docs" / "conformance.md"


def test_every_table_has_its_place() -> None:
    assert sorted(names_in(STATEMENT.read_text(encoding="utf-8"))) == sorted(TABLES)


@pytest.mark.parametrize("name", TABLES)
def test_table_is_what_the_service_does(name: str, request: pytest.FixtureRequest) -> None:
    document = STATEMENT.read_text(encoding="utf-8")
    expected = filled(document, name, TABLES[name]())
    if request.config.getoption("--write-conformance"):
        STATEMENT.write_text(expected, encoding="utf-8")
        return
    assert document == expected, "run `make conformance` and look at what changed"


def test_every_clause_of_the_services_is_known_by_name() -> None:
    assert [clause for clause in clauses() if " " not in clause and not title_of(clause)] == []


def test_clauses_are_in_the_order_of_the_standard() -> None:
    listed = ["8.3.4.10", "I.1", "9.3", "10.4", "8.3.4.2", "PS3.4 C.2", "F.2"]
    assert sorted(listed, key=order) == ["8.3.4.2", "8.3.4.10", "9.3", "10.4", "F.2", "I.1", "PS3.4 C.2"]
    assert list(TITLES) == sorted(TITLES, key=order)
