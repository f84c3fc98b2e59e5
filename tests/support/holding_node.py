"""What a node offers to find and to fetch: a catalogue with instances, and their bytes."""

import io
import shutil
from pathlib import Path

import pytest
from dimse_objects import CountingMetrics, RecordingAudit, make_instance, part10

from dicom_node.dimse.association import Address
from dicom_node.dimse.query_scp import QueryScp
from dicom_node.dimse.retrieve_scp import RetrieveScp
from dicom_node.domain.catalog import CatalogEntry, CatalogKind
from dicom_node.domain.study import Slot
from dicom_node.index.catalog import SqlCatalog
from dicom_node.index.database import open_database, upgrade
from dicom_node.storage.blobs import PlainBlobs
from dicomweb.attributes import DicomJsonReader


class Holdings:
    """Instances that are held, and the services over them.

    Parameters
    ----------
    folder
        Of the node; its database lies there.
    """

    ae_title = "NODE"

    def __init__(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        self.database = open_database(f"sqlite:///{folder / 'node.db'}")
        upgrade(self.database)
        self.catalog = SqlCatalog(self.database)
        self.blobs = PlainBlobs(Path(folder, "results"), "results")
        self.metrics = CountingMetrics()
        self.audit = RecordingAudit()
        self.destinations = {}
        self.published = []

    def publish(self, *instances, kind=CatalogKind.SOURCE):
        """Hold instances, all in one transaction."""
        reader = DicomJsonReader()
        entries = []
        for ds in instances:
            data = part10(ds)
            ref = self.blobs.write(Slot("study", 1), f"{ds.SOPInstanceUID}.dcm", io.BytesIO(data))
            syntax, attributes = reader.read(data)
            entries.append(
                CatalogEntry(
                    study_id=f"id-{ds.StudyInstanceUID}",
                    kind=kind,
                    study_instance_uid=ds.StudyInstanceUID,
                    series_instance_uid=ds.SeriesInstanceUID,
                    sop_instance_uid=ds.SOPInstanceUID,
                    sop_class_uid=ds.SOPClassUID,
                    transfer_syntax_uid=syntax,
                    ref=ref,
                    attributes=attributes,
                )
            )
        self.catalog.publish(entries)
        self.published += instances

    def purge(self, study_instance_uid):
        """Take a study's inputs away."""
        self.catalog.withdraw_sources(f"id-{study_instance_uid}")

    def services(self, *, max_matches=1000, page=50, max_retrievals=2, wait_s=5.0):
        """Query and retrieve over what is held."""
        return (
            QueryScp(self.catalog, self.metrics, ae_title=self.ae_title, max_matches=max_matches, page=page),
            RetrieveScp(
                self.catalog,
                self.blobs.open,
                self.audit,
                self.metrics,
                destinations=self.destinations,
                max_retrievals=max_retrievals,
                wait_s=wait_s,
            ),
        )

    def send_to(self, ae_title, port):
        """Let C-MOVE send to a peer on loopback."""
        self.destinations[ae_title] = Address("127.0.0.1", port, ae_title, self.ae_title, timeout_s=5)


def study(number, *, series=1, instances=2, **elements):
    """Data sets of one study, with UIDs that can be told; `elements` are of all."""
    made = []
    for s in range(1, series + 1):
        for n in range(1, instances + 1):
            uid = f"2.25.{number}.{s}.{n}"
            fields = {
                "StudyInstanceUID": f"2.25.{number}",
                "SeriesInstanceUID": f"2.25.{number}.{s}",
                "SOPInstanceUID": uid,
                "PatientName": f"Pseudo^{number}",
                "PatientID": f"P{number}",
                "StudyDate": f"202601{number:02}",
                "StudyTime": "101500",
                "AccessionNumber": f"A{number}",
                "StudyID": f"S{number}",
                "SeriesNumber": s,
                "InstanceNumber": n,
                **elements,
            }
            made.append(make_instance(**fields))
    return made


@pytest.fixture
def holdings(tmp_path, empty_database):
    """What the node in folder `node` holds: nothing yet."""
    folder = tmp_path / "node"
    folder.mkdir()
    shutil.copy(empty_database, folder / "node.db")
    held = Holdings(folder)
    yield held
    held.database.dispose()
