import shutil

import pytest
from reconciled_node import ReconciledNode

from dicom_node.index.database import open_database, upgrade


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory):
    """A database file with the schema; a copy costs less than an upgrade."""
    path = tmp_path_factory.mktemp("schema") / "node.db"
    engine = open_database(f"sqlite:///{path}")
    upgrade(engine)
    engine.dispose()
    return path


@pytest.fixture
def node(tmp_path, empty_database):
    shutil.copy(empty_database, tmp_path / "node.db")
    node = ReconciledNode(tmp_path, f"sqlite:///{tmp_path / 'node.db'}")
    yield node
    node.close()
