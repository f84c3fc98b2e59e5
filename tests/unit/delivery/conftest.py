import shutil

import pytest
from delivery_bench import Bench

from dicom_node.index.database import open_database, upgrade


@pytest.fixture(scope="session")
def delivery_database(tmp_path_factory):
    """A database file with the schema; a copy costs less than an upgrade."""
    path = tmp_path_factory.mktemp("deliveries") / "node.db"
    engine = open_database(f"sqlite:///{path}")
    upgrade(engine)
    engine.dispose()
    return path


@pytest.fixture
def bench(tmp_path, delivery_database):
    shutil.copy(delivery_database, tmp_path / "node.db")
    engine = open_database(f"sqlite:///{tmp_path / 'node.db'}")
    yield Bench(engine)
    engine.dispose()
