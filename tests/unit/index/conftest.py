import shutil

import pytest

from dicom_node.index.database import open_database, upgrade

pytest.register_assert_rewrite(
    "index_contract",
    "ledger_contract",
    "notification_contract",
    "catalog_contract",
    "commitment_contract",
    "delivery_contract",
    "matching_contract",
    "pulls_contract",
    "quarantine_contract",
    "upgrade_contract",
    "worklist_contract",
)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory):
    """A database file with the schema; a copy costs less than an upgrade."""
    path = tmp_path_factory.mktemp("schema") / "node.db"
    engine = open_database(f"sqlite:///{path}")
    upgrade(engine)
    engine.dispose()
    return path


@pytest.fixture
def url(tmp_path, empty_database):
    shutil.copy(empty_database, tmp_path / "node.db")
    return f"sqlite:///{tmp_path / 'node.db'}"


@pytest.fixture
def engine(url):
    engine = open_database(url)
    yield engine
    engine.dispose()
