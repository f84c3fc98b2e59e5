import pytest
from postgresql_cluster import postgresql
from sqlalchemy import text

from dicom_node.index.database import open_database, upgrade
from dicom_node.index.tables.all import metadata

__all__ = ["postgresql"]


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
