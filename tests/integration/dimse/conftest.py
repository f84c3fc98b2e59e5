"""The receive stack as the application wires it: DIMSE server, receive stage, encrypted spool, SQL index."""

import pytest
from dimse_objects import FakeWatermark, make_instance, part10
from receiver_pools import pool, start_pool  # noqa: F401 - fixtures
from sqlalchemy import select

from anonymizer.uids import UidMapper
from dicom_node.app.adapters import SystemClock, UidAdapter
from dicom_node.dimse.admission import SERVICES, Admission
from dicom_node.dimse.limits import CountedLimits, TotalLimits
from dicom_node.dimse.scp import ServerTimeouts, StorageScp
from dicom_node.index.database import open_database, upgrade
from dicom_node.index.studies import SqlStudyIndex
from dicom_node.index.tables.studies import instances
from dicom_node.observability.metrics import PrometheusMetrics
from dicom_node.pipeline.receive import ReceiveStage
from dicom_node.security.master import load_master_key
from dicom_node.storage.keys import KeyStore
from dicom_node.storage.spool import Spool

#: Keywords of `Admission`.
_POLICY = {"peers", "allow_list", "require_called_ae_title", "other_services", "users"}


class Node:
    """A receiving node in a folder of its own."""

    ae_title = "NODE"

    def __init__(self, folder, **options):
        folder.mkdir(exist_ok=True)
        master = load_master_key(folder)
        self.database = options.pop("database", None) or open_database(f"sqlite:///{folder / 'node.db'}")
        upgrade(self.database)
        # Real but for the free bytes: tests fill no disk.
        self.watermark = FakeWatermark()
        self.spool = Spool(
            folder / "spool", "spool", KeyStore(folder / "keys" / "slots", master), self.watermark
        )
        self.metrics = PrometheusMetrics()
        self.receiver = ReceiveStage(
            SqlStudyIndex(self.database, SystemClock()),
            self.spool,
            UidAdapter(UidMapper(master.derive("pseudonyms"))),
            self.watermark,
            self.metrics,
        )
        policy = {name: options.pop(name) for name in _POLICY & options.keys()}
        settings = {
            "port": 0,
            "receiver": self.receiver,
            "admission": Admission(self.ae_title, **{"other_services": SERVICES, **policy}),
            "limits": CountedLimits(TotalLimits(options.pop("max_associations", 8))),
            "timeouts": ServerTimeouts.all(options.pop("timeout_s", 5)),
            **options,
        }
        self.scp = StorageScp(host="127.0.0.1", ae_title=self.ae_title, metrics=self.metrics, **settings)
        self.scp.start()
        self._folder = folder

    @property
    def port(self):
        return self.scp.port

    @property
    def stored(self):
        """The Part 10 bytes of what the index knows."""
        with self.database.connect() as connection:
            refs = [row[0] for row in connection.execute(select(instances.c.spool_ref))]
        return [self.spool.read(ref) for ref in refs]

    @property
    def files(self):
        """Names of the files in the spool, temporary ones too."""
        return [path.name for path in (self._folder / "spool").rglob("*") if path.is_file()]

    def counted(self, name, **labels):
        return self.metrics._registry.get_sample_value(f"dicom_node_{name}_total", labels) or 0

    def stop(self):
        self.scp.stop()
        self.database.dispose()


@pytest.fixture
def start_node(tmp_path):
    """A function that starts a node.

    Its keywords are `StorageScp`'s; `name` (the same one restarts) or `folder`; `database`.
    """
    yield from _starter(tmp_path)


@pytest.fixture(scope="module")
def module_start_node(tmp_path_factory):
    """The same, for tests that share a node."""
    yield from _starter(tmp_path_factory.mktemp("nodes"))


def _starter(tmp_path):
    running = []

    def start(name="node", folder=None, **options):
        running.append(Node(folder or tmp_path / name, **options))
        return running[-1]

    yield start
    for node in running:
        node.stop()


@pytest.fixture
def node(start_node):
    return start_node()


@pytest.fixture
def dicom_file(tmp_path):
    """A function that writes an instance to a file."""

    def write(ds=None, name="one.dcm"):
        path = tmp_path / name
        path.write_bytes(part10(ds or make_instance()))
        return path

    return write
