"""What a node on SQLite really holds, read past it from its data folder."""

import sqlite3
from collections import Counter

from dicom_node.security.master import load_master_key
from dicom_node.storage.blobs import EncryptedBlobs
from dicom_node.storage.keys import KeyStore


class KeptInstances:
    """The received instances in a data folder that are not purged.

    Attributes
    ----------
    stored
        Their bytes, as Part 10 files.
    rows
        How many rows the index has of each SOP Instance UID, purged or not.
    files
        Names of the files in the spool, without those of writes that never ended.
    """

    def __init__(self, data_dir):
        keys = KeyStore(data_dir / "keys" / "slots", load_master_key(data_dir))
        spool = EncryptedBlobs(data_dir / "spool", "spool", keys)
        database = sqlite3.connect(f"file:{data_dir / 'node.db'}?mode=ro", uri=True)
        try:
            found = database.execute(
                "SELECT sop_instance_uid, spool_ref, purged_at FROM instances"
            ).fetchall()
        finally:
            database.close()
        self.rows = Counter(uid for uid, _, _ in found)
        self.stored = [spool.read(ref) for _, ref, purged_at in found if purged_at is None]
        self.files = [
            path.name
            for path in (data_dir / "spool").rglob("*")
            if path.is_file() and not path.name.startswith(".")
        ]

    def assert_once(self, data_sets, stray=0):
        """Every data set is there once, by its bytes, and no row or file is there twice.

        `stray`: how many files of writes that a kill cut off may lie there, until the purge of their study.
        """
        tails = Counter(data for data in data_sets for one in self.stored if one.endswith(data))
        assert [tails[data] for data in data_sets] == [1] * len(data_sets)
        assert set(self.rows.values()) <= {1}
        assert len(self.stored) <= len(self.files) <= len(self.stored) + stray
