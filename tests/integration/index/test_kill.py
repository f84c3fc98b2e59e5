"""`kill -9` in the middle of receiving: what was confirmed is there, whole."""

import hashlib
import subprocess
import sys

import pytest
import receiving_node
from receiving_node import parts

from dicom_node.domain.instance import StoreOutcome

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("lines", [1, 7, 60])
def test_confirmed_instances_survive_a_kill(tmp_path, lines):
    command = [sys.executable, receiving_node.__file__, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as node:
        confirmed = [node.stdout.readline().decode().strip() for _ in range(lines)]
        node.kill()
        confirmed += node.stdout.read().decode().split("\n")[:-1]
    assert len(confirmed) >= lines

    index, spool = parts(tmp_path)
    for uid in confirmed:
        found = index.find_source(uid)
        assert hashlib.sha256(spool.read(found.spool_ref)).hexdigest() == found.sha256
        assert index.register(found) is StoreOutcome.DUPLICATE
    (study,), _ = index.studies()
    rows = index.sources(study.id, study.version)
    assert len(rows) == study.received_instances >= len(confirmed)
    for row in rows:  # every row has its bytes, those included that were not confirmed yet
        assert hashlib.sha256(spool.read(row.spool_ref)).hexdigest() == row.sha256
    assert spool.sweep(min_age_s=0) <= 4
    files = {p.name for p in (tmp_path / "spool").rglob("*.dcm")}
    assert len(files) - len(rows) <= 4
