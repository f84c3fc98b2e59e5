"""An index without a study; a copy of its file costs less than an upgrade."""

import pytest

from dicom_node.index.database import open_database, upgrade


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory):
    """A database file with the schema: copy it."""
    path = tmp_path_factory.mktemp("schema") / "node.db"
    engine = open_database(f"sqlite:///{path}")
    upgrade(engine)
    engine.dispose()
    return path
