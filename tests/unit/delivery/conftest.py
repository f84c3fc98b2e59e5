import shutil

import pytest
from delivery_bench import Bench

from dicom_node.index.database import open_database


@pytest.fixture
def bench(tmp_path, empty_database):
    shutil.copy(empty_database, tmp_path / "node.db")
    engine = open_database(f"sqlite:///{tmp_path / 'node.db'}")
    yield Bench(engine)
    engine.dispose()
