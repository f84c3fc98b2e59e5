"""docs/conformance-dimse.md says what the code does: its tables are made here (PS3.2 Annex N).

`make conformance` writes them anew.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from conformance_tables import filled, names_in
from dimse_tables import TABLES

STATEMENT = Path(__file__).parents[2] / "docs" / "conformance-dimse.md"


def test_every_table_has_its_place() -> None:
    assert sorted(names_in(STATEMENT.read_text(encoding="utf-8"))) == sorted(TABLES)


@pytest.mark.parametrize("name", TABLES)
def test_table_is_what_the_node_does(name: str, request: pytest.FixtureRequest) -> None:
    document = STATEMENT.read_text(encoding="utf-8")
    expected = filled(document, name, TABLES[name]())
    if request.config.getoption("--write-conformance"):
        STATEMENT.write_text(expected, encoding="utf-8")
        return
    assert document == expected, "run `make conformance` and look at what changed"
