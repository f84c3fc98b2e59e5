"""A real Orthanc on free loopback ports."""

import io
import json
import shutil
import zipfile
from pathlib import Path

import httpx
import pytest
from ports import take_port
from processes import Child, answers, eventually
from pydicom import dcmread

_PLUGINS = ("libOrthancDicomWeb.so", "libOrthancGdcm.so")
_PLUGIN_FOLDERS = (Path("/usr/share/orthanc/plugins"), Path("/usr/lib/orthanc"))


class RealOrthanc(Child):
    """A running Orthanc.

    Parameters
    ----------
    folder
        Its own folder: storage, configuration and log.
    changes
        Configuration keys besides the test's own.
    """

    ae_title = "ORTHANC"

    def __init__(self, folder, changes):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.http_port = changes.pop("HttpPort", None) or take_port()
        self.dimse_port = changes.pop("DicomPort", None) or take_port()
        self.url = f"http://127.0.0.1:{self.http_port}"
        self.dicomweb_url = f"{self.url}/dicom-web"
        configuration = {
            "Name": "Orthanc of a test",
            "StorageDirectory": str(folder / "storage"),
            "IndexDirectory": str(folder / "storage"),
            "HttpPort": self.http_port,
            "DicomPort": self.dimse_port,
            "DicomAet": self.ae_title,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "StableAge": 2,
            "SynchronousCMove": True,
            "DicomAlwaysAllowFind": True,
            "DicomAlwaysAllowGet": True,
            "DicomAlwaysAllowMove": True,
            "Plugins": [str(path) for path in _plugins()],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "EnableWado": False},
            **changes,
        }
        path = folder / "orthanc.json"
        path.write_text(json.dumps(configuration, indent=2), encoding="utf-8")
        self.start(path, folder / "orthanc.log")

    def start(self, configuration, log, environment=None):
        """Start the program and wait until it answers."""
        self._started_with = (configuration, log, environment)
        super().__init__([_program(), "--verbose", str(configuration)], log, environment)
        self.http = httpx.Client(base_url=self.url, timeout=60, trust_env=False)
        self.wait_until(answers(f"{self.url}/system"))

    def resume(self):
        """Start it again on the same data and ports."""
        self.http.close()
        self.start(*self._started_with)

    def stop(self, limit_s=20):
        self.http.close()
        return super().stop(limit_s)

    def discard(self):
        """End it at once: an orderly stop takes seconds, and its data go with the test."""
        self.http.close()
        self.kill()

    def upload(self, series):
        """Upload data sets by one request of the REST API: between two the study might count as stable."""
        files = []
        for ds in series:
            buffer = io.BytesIO()
            ds.save_as(buffer, enforce_file_format=True)
            files.append(buffer.getvalue())
        self.http.post("/instances", content=_one_body(files)).raise_for_status()

    def find(self, level, **query):
        """Resources (expanded) of a level whose attributes match."""
        body = {"Level": level, "Expand": True, "Query": query}
        return self.http.post("/tools/find", json=body).raise_for_status().json()

    def instances(self, **query):
        """Data sets of all instances that match."""
        return [
            dcmread(io.BytesIO(self.http.get(f"/instances/{found['ID']}/file").raise_for_status().content))
            for found in self.find("Instance", **query)
        ]

    def wait_for(self, look, limit_s=120, what="what Orthanc should get"):
        """The first true value of `look(self)`."""
        return eventually(lambda: look(self), limit_s, what)


def _program():
    return shutil.which("Orthanc") or "/usr/sbin/Orthanc"


def _plugins():
    found = [
        next((folder / name for folder in _PLUGIN_FOLDERS if (folder / name).exists()), None)
        for name in _PLUGINS
    ]
    return [path for path in found if path is not None]


def require_orthanc():
    """Skip where Orthanc or its DICOMweb plugin is not installed."""
    if not Path(_program()).exists():
        pytest.skip("needs orthanc")
    if not any(path.name == _PLUGINS[0] for path in _plugins()):
        pytest.skip("needs orthanc-dicomweb")


@pytest.fixture
def start_orthanc(tmp_path):
    """A function that starts an Orthanc with configuration keys of its own: `start_orthanc(StableAge=1)`."""
    require_orthanc()
    running = []

    def start(**changes):
        running.append(RealOrthanc(tmp_path / f"orthanc-{len(running)}", changes))
        return running[-1]

    yield start
    for orthanc in running:
        orthanc.discard()


@pytest.fixture
def orthanc(start_orthanc):
    """A running Orthanc with nothing in it."""
    return start_orthanc()


def _one_body(files):
    """A single instance as it is: Orthanc takes some alone that it refuses in an archive."""
    if len(files) == 1:
        return files[0]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as entries:
        for number, data in enumerate(files):
            entries.writestr(f"{number}.dcm", data)
    return archive.getvalue()
