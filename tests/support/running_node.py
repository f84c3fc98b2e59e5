"""A node as its own process, as `dicom-node serve` starts it."""

import sys
import tempfile
from pathlib import Path

import httpx
import pytest
import yaml
from ports import take_port
from processes import Child, answers, eventually

from dicom_node.dimse.association import Address
from dicom_node.dimse.scu import send_files

#: States in which a study has ended.
ENDED = ("done", "rejected", "quarantined", "failed")


class RunningNode(Child):
    """A running `dicom-node serve`.

    Parameters
    ----------
    folder
        Holds its configuration, data and log.
    sections
        Sections of `node.yaml` besides or instead of the test's own.
    """

    ae_title = "DICOMNODE"

    def __init__(self, folder, sections):
        folder.mkdir(parents=True, exist_ok=True)
        settings = _merged(
            {
                # Most nodes of tests run no model: loading them takes several seconds of processor time.
                "node": {"data_dir": str(folder / "data"), "min_free_mb": 0, "warm_up": False},
                # One receiver, as each takes most of a second of processor time to start.
                "dimse": {"port": take_port(), "ae_title": self.ae_title, "receivers": 1},
                "http": {"port": take_port()},
                "completion": {"quiet_s": 1.0},
                "logging": {"format": "json"},
            },
            sections,
        )
        self.data_dir = Path(settings["node"]["data_dir"])
        self.dimse_port = settings["dimse"]["port"]
        self.url = f"http://127.0.0.1:{settings['http']['port']}"
        self.dicomweb_url = f"{self.url}/dicom-web"
        self.configuration = folder / "node.yaml"
        self.configuration.write_text(yaml.safe_dump(settings), encoding="utf-8")
        self.http = httpx.Client(base_url=self.url, timeout=60, trust_env=False)
        self._folder = folder
        self._start()

    def _start(self):
        command = [sys.executable, "-m", "dicom_node.cli", "serve", "--config", str(self.configuration)]
        super().__init__(command, self._folder / "node.log", cwd=self._folder)
        self.wait_until(answers(f"{self.url}/health/ready"))

    def restart(self):
        """Start it again on the same data and ports."""
        assert self.process.poll() is not None, "stop or kill it first"
        self._start()

    def close(self):
        """Stop it for good."""
        self.http.close()
        self.stop()

    def send(self, series, calling="TEST"):
        """Send data sets by C-STORE over one association; 0 for each that was stored, else the reason.

        By the node's own sender: pynetdicom's own loses an answer now and then on a busy machine.
        """
        address = Address("127.0.0.1", self.dimse_port, self.ae_title, calling, timeout_s=60)
        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder, f"{number}.dcm") for number in range(len(series))]
            for path, ds in zip(paths, series, strict=True):
                ds.save_as(path, enforce_file_format=True)
            failures = send_files(paths, address)
        return [failures.get(path, 0x0000) for path in paths]

    def study(self, original_study_instance_uid):
        """The study of `/api/studies`, or `None` where it is not there yet."""
        answer = self.http.get(
            "/api/studies", params={"original_study_instance_uid": original_study_instance_uid}
        )
        found = answer.raise_for_status().json()["studies"]
        return found[0] if found else None

    def complete(self, original_study_instance_uid, instances, limit_s=120):
        """Say that a study is complete, once so many of its instances are there."""

        def whole():
            study = self.study(original_study_instance_uid)
            return study if study and study["received"]["instances"] == instances else None

        study = eventually(whole, limit_s, f"{instances} instances")
        self.http.post(f"/api/studies/{study['id']}/complete").raise_for_status()

    def wait_ended(self, original_study_instance_uid, limit_s=180):
        """The study once it has ended, with all that the API says of it."""

        def ended():
            study = self.study(original_study_instance_uid)
            return study if study and study["state"] in ENDED else None

        found = eventually(ended, limit_s, "the study's end")
        return self.http.get(f"/api/studies/{found['id']}").raise_for_status().json()


def _merged(base, changes):
    merged = dict(base)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if both else value
    return merged


@pytest.fixture
def start_node(tmp_path):
    """A function that starts a node with sections of its own: `start_node(completion={"quiet_s": 2})`."""
    yield from _starter(tmp_path)


@pytest.fixture(scope="module")
def module_node(tmp_path_factory):
    """The same, for tests that share nodes."""
    yield from _starter(tmp_path_factory.mktemp("nodes"))


@pytest.fixture
def node(start_node):
    """A running node with nothing in it, one second of quiet time and no destination."""
    return start_node()


def _starter(folder):
    running = []

    def start(**sections):
        running.append(RunningNode(folder / f"node-{len(running)}", sections))
        return running[-1]

    yield start
    for node in running:
        node.close()
