"""Peers of storage commitment, made of pynetdicom: a modality that asks, an archive that is asked."""

import threading

import pytest
from processes import eventually
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, generate_uid
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import StorageCommitmentPushModel

from dicom_node.dimse.association import Address
from dicom_node.dimse.commitment_messages import WELL_KNOWN_INSTANCE

MODEL = StorageCommitmentPushModel


class Modality:
    """Stores instances, asks for commitment, and takes reports."""

    ae_title = "MODALITY"

    def __init__(self):
        self.reports = []
        self.statuses = []
        self._servers = []

    def told(self, event):
        self.reports.append((event.event_type, event.event_information))
        self.roles = {str(uid): item for uid, item in event.assoc.requestor.role_selection.items()}
        return 0x0000, None

    def store(self, node, *instances):
        ae = AE(self.ae_title)
        ae.add_requested_context(CTImageStorage)
        assoc = ae.associate("127.0.0.1", node.port, ae_title="NODE")
        for ds in instances:
            assert assoc.send_c_store(ds).Status == 0x0000
        assoc.release()

    def ask(self, node, *objects, stay=True, transaction=None, syntax=None, **changes):
        """Status of the N-ACTION; with `stay`, waits for the report on the same association."""
        before = len(self.reports)
        ae = AE(self.ae_title)
        ae.add_requested_context(MODEL, syntax)
        handlers = [(evt.EVT_N_EVENT_REPORT, self.told)] if stay else []
        assoc = ae.associate("127.0.0.1", node.port, ae_title="NODE", evt_handlers=handlers)
        ds = changes.pop("ds", None) or request(transaction or generate_uid(), objects)
        options = {"class_uid": MODEL, "instance_uid": WELL_KNOWN_INSTANCE, "action_type": 1, **changes}
        status, _ = assoc.send_n_action(
            ds, options["action_type"], options["class_uid"], options["instance_uid"]
        )
        if stay and status.Status == 0x0000:
            eventually(lambda: len(self.reports) > before, 10, "the report")
        if stay:
            assoc.release()
        else:
            assoc.abort()
        return status.Status

    def listen(self):
        """Take associations of the node that reports; return the port."""
        ae = AE(self.ae_title)
        ae.add_supported_context(MODEL, scu_role=True, scp_role=True)
        handlers = [(evt.EVT_N_EVENT_REPORT, self.told)]
        self._servers.append(ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers))
        return self._servers[-1].server_address[1]

    def close(self):
        for server in self._servers:
            server.shutdown()


@pytest.fixture
def modality():
    made = Modality()
    yield made
    made.close()


def request(transaction, objects):
    ds = Dataset()
    ds.TransactionUID = transaction
    ds.ReferencedSOPSequence = []
    for sop_class, instance in objects:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, instance
        ds.ReferencedSOPSequence.append(item)
    return ds


def reference(ds):
    return ds.SOPClassUID, ds.SOPInstanceUID


def committed(report):
    return [item.ReferencedSOPInstanceUID for item in report.get("ReferencedSOPSequence", [])]


def failed(report):
    found = report.get("FailedSOPSequence", [])
    return {item.ReferencedSOPInstanceUID: item.FailureReason for item in found}


class Archive:
    """Commits by a rule, over the same association, later over another one, or never."""

    ae_title = "ARCHIVE"

    def __init__(self, way, *, refuse=frozenset(), status=0x0000, node_port=None):
        self.way = way
        self.refuse = refuse
        self.status = status
        self.node_port = node_port
        self.answers = []
        ae = AE(self.ae_title)
        ae.add_supported_context(MODEL)
        self._server = ae.start_server(
            ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_N_ACTION, self.asked)]
        )
        self.address = Address("127.0.0.1", self._server.server_address[1], "ARCHIVE", "NODE", timeout_s=5)

    def asked(self, event):
        report = Dataset()
        asked = event.action_information
        report.TransactionUID = asked.TransactionUID
        items = asked.ReferencedSOPSequence
        report.ReferencedSOPSequence = [i for i in items if i.ReferencedSOPInstanceUID not in self.refuse]
        lost = [i for i in items if i.ReferencedSOPInstanceUID in self.refuse]
        for item in lost:
            item.FailureReason = 0x0213
        if lost:
            report.FailedSOPSequence = lost
        self.report = report
        if self.status == 0x0000 and self.way == "same":
            threading.Thread(target=self.send, args=(event.assoc,)).start()
        return self.status, None

    def send(self, assoc=None, calling="ARCHIVE"):
        kind = 2 if "FailedSOPSequence" in self.report else 1
        own = assoc is None
        if own:
            ae = AE(calling)
            ae.add_requested_context(MODEL)
            assoc = ae.associate(
                "127.0.0.1", self.node_port, ae_title="NODE", ext_neg=[build_role(MODEL, scp_role=True)]
            )
        status, _ = assoc.send_n_event_report(self.report, kind, MODEL, WELL_KNOWN_INSTANCE)
        if own:
            assoc.release()
        self.answers.append(status.Status)
        return status.Status

    def close(self):
        self._server.shutdown()


@pytest.fixture
def archive():
    """A function that starts an archive."""
    running = []

    def start(way, **options):
        running.append(Archive(way, **options))
        return running[-1]

    yield start
    for one in running:
        one.close()
