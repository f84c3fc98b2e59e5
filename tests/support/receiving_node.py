"""Receives for ever: blob, then row, then a line of what is durable. Run by test_kill.py, which kills it."""

import hashlib
import io
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from index_samples import STUDY, SetClock, instance

from dicom_node.index.database import open_database, upgrade
from dicom_node.index.studies import SqlStudyIndex
from dicom_node.security.master import load_master_key
from dicom_node.storage.blobs import EncryptedBlobs
from dicom_node.storage.keys import KeyStore


def parts(folder):
    """(index, spool) of a data folder."""
    engine = open_database(f"sqlite:///{folder / 'node.db'}")
    upgrade(engine)
    keys = KeyStore(folder / "keys" / "slots", load_master_key(folder, {}))
    return SqlStudyIndex(engine, SetClock()), EncryptedBlobs(folder / "spool", "spool", keys)


def receive(index, spool, number):
    data = os.urandom(20_000)
    slot = index.open_slot(STUDY)
    ref = spool.write(slot, f"{number}.dcm", io.BytesIO(data))
    row = instance(slot, number)
    index.register(replace(row, sha256=hashlib.sha256(data).hexdigest(), spool_ref=ref))
    os.write(1, f"{row.sop_instance_uid}\n".encode())  # one call: lines of threads do not mix


if __name__ == "__main__":
    index, spool = parts(Path(sys.argv[1]))
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda number: receive(index, spool, number), range(100_000)))
