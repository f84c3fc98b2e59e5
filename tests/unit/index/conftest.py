import shutil

import pytest

from dicom_node.index.database import open_database

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


@pytest.fixture
def url(tmp_path, empty_database):
    shutil.copy(empty_database, tmp_path / "node.db")
    return f"sqlite:///{tmp_path / 'node.db'}"


@pytest.fixture
def engine(url):
    engine = open_database(url)
    yield engine
    engine.dispose()
