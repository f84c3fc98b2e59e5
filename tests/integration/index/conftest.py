import pytest
from postgresql_cluster import postgresql
from sqlalchemy import text

from dicom_node.index.database import open_database, upgrade
from dicom_node.index.tables.all import metadata

__all__ = ["postgresql"]

pytest.register_assert_rewrite(
    "index_contract",
    "catalog_contract",
    "delivery_contract",
    "ledger_contract",
    "notification_contract",
    "matching_contract",
    "pulls_contract",
    "quarantine_contract",
    "upgrade_contract",
    "worklist_contract",
)


@pytest.fixture(scope="session")
def upgraded(postgresql):
    """The URL of a database with the schema."""
    url = postgresql.create()
    engine = open_database(url)
    upgrade(engine)
    engine.dispose()
    return url


@pytest.fixture
def url(upgraded):
    engine = open_database(upgraded)
    with engine.begin() as connection:
        connection.execute(text(f"TRUNCATE {', '.join(metadata.tables)}"))
    engine.dispose()
    return upgraded


@pytest.fixture
def engine(url):
    engine = open_database(url)
    yield engine
    engine.dispose()
