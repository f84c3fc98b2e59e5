"""Receiver processes in a data folder of their own, without the rest of a node."""

import psutil
import pytest
from processes import eventually

from dicom_node.app.receiver_pool import ReceiverPool
from dicom_node.index.database import open_database, upgrade
from dicom_node.observability.metrics import PrometheusMetrics
from dicom_node.pipeline.senders import OpenSenders
from dicom_node.settings import load_settings


class Pool:
    """A pool that listens on a free port."""

    ae_title = "NODE"

    def __init__(self, folder, count=2, desk=None, **dimse):
        self.settings = load_settings(
            node={"data_dir": str(folder), "min_free_mb": 0},
            dimse={"port": 0, "ae_title": self.ae_title, **dimse},
        )
        self.database = open_database(self.settings.database_url)
        upgrade(self.database)
        self.metrics = PrometheusMetrics()
        self.senders = OpenSenders()
        self.pool = ReceiverPool(self.settings, count, self.metrics, desk, self.senders)
        self.pool.start()
        self.count = count
        self.wait_ready()

    @property
    def port(self):
        return self.pool.port

    def wait_ready(self):
        eventually(lambda: self.pool.ready == self.count, what="the receivers")

    @property
    def processes(self):
        return [psutil.Process(pid) for pid in self.pool.process_ids]

    def connections(self):
        """How many connections each receiver has open."""
        return sorted(
            sum(c.status == psutil.CONN_ESTABLISHED for c in process.net_connections("tcp"))
            for process in self.processes
        )

    def counted(self, name, **labels):
        return self.metrics._registry.get_sample_value(f"dicom_node_{name}_total", labels) or 0

    def stop(self):
        self.pool.stop()
        self.database.dispose()


@pytest.fixture
def start_pool(tmp_path):
    """A function that starts a pool; its keywords are `Pool`'s."""
    running = []

    def start(name="data", **options):
        running.append(Pool(tmp_path / name, **options))
        return running[-1]

    yield start
    for pool in running:
        pool.stop()


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    """Two receivers that tests share."""
    running = Pool(tmp_path_factory.mktemp("pool"))
    yield running
    running.stop()
