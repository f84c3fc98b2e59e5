"""A workstation that fetches: it takes instances over associations of its own or of others."""

import io

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom import AE, build_role, evt
from pynetdicom.dsutils import decode
from pynetdicom.sop_class import (
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

STUDY_GET = StudyRootQueryRetrieveInformationModelGet
STUDY_MOVE = StudyRootQueryRetrieveInformationModelMove


def identifier(level, **keys):
    ds = Dataset()
    ds.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(ds, keyword, value)
    return ds


class Workstation:
    """An application entity that takes instances, over associations of its own or of others."""

    ae_title = "WORKSTATION"

    def __init__(self, answer=lambda _number: 0x0000):
        self.received = []
        self.originators = []
        self._answer = answer
        self._servers = []

    def store(self, event):
        status = self._answer(len(self.received) + 1)
        self.received.append((event.context.transfer_syntax, event.request.DataSet.getvalue()))
        request = event.request
        self.originators.append(
            (request.MoveOriginatorApplicationEntityTitle, request.MoveOriginatorMessageID)
        )
        return status

    @property
    def uids(self):
        return sorted(ds.SOPInstanceUID for ds in self.data_sets)

    @property
    def data_sets(self):
        return [
            decode(io.BytesIO(data), syntax.is_implicit_VR, syntax.is_little_endian, syntax.is_deflated)
            for syntax, data in self.received
        ]

    def get(
        self, node, ds, *, model=STUDY_GET, storage=(CTImageStorage,), syntaxes=(ExplicitVRLittleEndian,)
    ):
        """All responses of a C-GET: (status, identifier)."""
        ae = AE(self.ae_title)
        ae.add_requested_context(model)
        for sop_class in storage:
            ae.add_requested_context(sop_class, list(syntaxes))
        roles = [build_role(sop_class, scp_role=True) for sop_class in storage]
        handlers = [(evt.EVT_C_STORE, self.store)]
        assoc = ae.associate("127.0.0.1", node.port, ae_title="NODE", ext_neg=roles, evt_handlers=handlers)
        assert assoc.is_established
        found = list(assoc.send_c_get(ds, model, msg_id=3))
        assoc.release()
        return found

    def listen(self, *sop_classes, syntaxes=(ExplicitVRLittleEndian,), port=0):
        """Take associations; return the port."""
        ae = AE(self.ae_title)
        for sop_class in sop_classes or (CTImageStorage,):
            ae.add_supported_context(sop_class, list(syntaxes))
        handlers = [(evt.EVT_C_STORE, lambda event: self.store(event))]
        self._servers.append(ae.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers))
        return self._servers[-1].server_address[1]

    def move(self, node, ds, destination="WORKSTATION", model=STUDY_MOVE):
        """All responses of a C-MOVE: (status, identifier)."""
        ae = AE(self.ae_title)
        ae.add_requested_context(model)
        assoc = ae.associate("127.0.0.1", node.port, ae_title="NODE")
        assert assoc.is_established
        found = list(assoc.send_c_move(ds, destination, model, msg_id=9))
        assoc.release()
        return found

    def close(self):
        for server in self._servers:
            server.shutdown()


def counts(status):
    return (
        status.NumberOfCompletedSuboperations,
        status.NumberOfFailedSuboperations,
        status.NumberOfWarningSuboperations,
    )


@pytest.fixture
def node(start_node, holdings):
    services = holdings.services()
    node = start_node(services=services)
    node.services = services
    return node


@pytest.fixture
def moving_node(start_node, holdings, workstation):
    """A function that starts a node which may send to the workstation."""

    def start(*sop_classes, port=None, **options):
        holdings.send_to(workstation.ae_title, port or workstation.listen(*sop_classes))
        return start_node(services=holdings.services(**options))

    return start


@pytest.fixture
def workstation():
    made = Workstation()
    yield made
    made.close()
