"""A real `dicom-node serve` for benchmarks, and content put under it without sending."""

from __future__ import annotations

import io
import json
import sys
import urllib.request
from typing import TYPE_CHECKING

from support.servers import Server, free_port

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_BATCH = 500


class Node(Server):
    name = "node"

    def __init__(self, folder: Path) -> None:
        self.http_port = free_port()
        self.dicomweb_url = f"http://127.0.0.1:{self.http_port}/dicom-web"
        configuration = folder / "node.yaml"
        configuration.write_text(
            json.dumps(
                {
                    "node": {"data_dir": str(folder / "data"), "min_free_mb": 0},
                    "dimse": {"port": free_port()},
                    "http": {"port": self.http_port},
                    # Nothing is processed while it is measured: Orthanc processes nothing either.
                    "completion": {"quiet_s": 86400},
                    "logging": {"level": "warning", "format": "json"},
                }
            )
        )
        super().__init__(
            [sys.executable, "-m", "dicom_node.cli", "serve", "--config", str(configuration)], folder
        )
        self.wait_until(self._ready)

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/health/ready", timeout=5):
                return True
        except OSError:
            return False


def fill(data_dir: Path, instances: Iterable[bytes]) -> None:
    """List instances as de-identified inputs of a node, in its sealed work area, before it starts."""
    from dicom_node.domain.catalog import CatalogEntry, CatalogKind
    from dicom_node.domain.study import Slot
    from dicom_node.index.catalog import SqlCatalog
    from dicom_node.index.database import open_database, upgrade
    from dicom_node.security.master import load_master_key
    from dicom_node.storage.blobs import EncryptedBlobs
    from dicom_node.storage.keys import KeyStore
    from dicomweb.attributes import DicomJsonReader

    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    master = load_master_key(data_dir)
    database = open_database(f"sqlite:///{data_dir / 'node.db'}")
    upgrade(database)
    work = EncryptedBlobs(data_dir / "work", "work", KeyStore(data_dir / "keys" / "slots", master))
    reader = DicomJsonReader()
    catalog = SqlCatalog(database)

    def entries() -> Iterator[CatalogEntry]:
        for data in instances:
            syntax, attributes = reader.read(data)
            study, series, instance, sop_class = (
                attributes[tag]["Value"][0] for tag in ("0020000D", "0020000E", "00080018", "00080016")
            )
            study_id = "bench" + study[-24:].replace(".", "")
            ref = work.write(Slot(study_id, 0), f"{instance}.dcm", io.BytesIO(data))
            yield CatalogEntry(
                study_id=study_id,
                kind=CatalogKind.SOURCE,
                study_instance_uid=study,
                series_instance_uid=series,
                sop_instance_uid=instance,
                sop_class_uid=sop_class,
                transfer_syntax_uid=syntax,
                ref=ref,
                attributes=attributes,
            )

    batch: list[CatalogEntry] = []
    for entry in entries():
        batch.append(entry)
        if len(batch) == _BATCH:
            catalog.publish(batch)
            batch = []
    catalog.publish(batch)
    database.dispose()
