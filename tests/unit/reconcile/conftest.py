import shutil

import pytest
from reconciled_node import ReconciledNode


@pytest.fixture
def node(tmp_path, empty_database):
    shutil.copy(empty_database, tmp_path / "node.db")
    node = ReconciledNode(tmp_path, f"sqlite:///{tmp_path / 'node.db'}")
    yield node
    node.close()
