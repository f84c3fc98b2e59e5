"""The shipped Orthanc configuration, running on free ports."""

import shutil
from pathlib import Path

import pytest
from ports import take_port
from real_orthanc import RealOrthanc, require_orthanc

ORTHANC_FOLDER = Path(__file__).parents[2] / "orthanc"


class ShippedOrthanc(RealOrthanc):
    """Orthanc with `orthanc/orthanc.json` as it is; its variables give ports and the node's address."""

    def __init__(
        self,
        folder,
        *,
        forward,
        node_dimse_port,
        node_http_port,
        http_port=None,
        dimse_port=None,
        stable_age=1,
    ):
        configuration = folder / "orthanc"
        shutil.copytree(ORTHANC_FOLDER, configuration)
        (folder / "data").mkdir()
        self.http_port, self.dimse_port = http_port or take_port(), dimse_port or take_port()
        self.url = f"http://127.0.0.1:{self.http_port}"
        self.dicomweb_url = f"{self.url}/dicom-web"
        variables = {
            "ORTHANC_HTTP_PORT": self.http_port,
            "ORTHANC_DICOM_PORT": self.dimse_port,
            "ORTHANC_STABLE_AGE": stable_age,
            "DICOM_NODE_DICOM_PORT": node_dimse_port,
            "DICOM_NODE_HTTP_PORT": node_http_port,
            "DICOM_NODE_FORWARD": forward,
        }
        self.start(
            configuration / "orthanc.json",
            folder / "orthanc.log",
            {name: str(value) for name, value in variables.items()},
        )


@pytest.fixture
def shipped_orthanc(tmp_path):
    """A function that starts Orthanc with the shipped configuration."""
    yield from _starter(tmp_path)


@pytest.fixture(scope="module")
def module_shipped_orthanc(tmp_path_factory):
    """The same, for tests that share one Orthanc."""
    yield from _starter(tmp_path_factory.mktemp("shipped"))


def _starter(folder):
    require_orthanc()
    running = []

    def start(**options):
        running.append(ShippedOrthanc(folder / f"shipped-{len(running)}", **options))
        return running[-1]

    start.folder = ORTHANC_FOLDER
    yield start
    for orthanc in running:
        orthanc.discard()
