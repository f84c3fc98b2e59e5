"""Servers that take C-STORE, as a benchmark starts them: ours, Orthanc's, DCMTK's and pynetdicom's."""

from __future__ import annotations

import json
import socket
import sqlite3
import sys
from typing import TYPE_CHECKING
from urllib.request import urlopen

from support.servers import Orthanc, Server, free_port

if TYPE_CHECKING:
    from pathlib import Path


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


class Node(Server):
    """`dicom-node serve` with its defaults, but that nothing is ever complete: only receiving is measured.

    Parameters
    ----------
    dimse
        Settings of that section besides.
    """

    name = "node"

    def __init__(self, folder: Path, **dimse: object) -> None:
        self.port, self._http = free_port(), free_port()
        settings = {
            "node": {"data_dir": str(folder / "data")},
            "dimse": {"port": self.port, "ae_title": "BENCH", "max_associations": 64, **dimse},
            "http": {"port": self._http},
            "completion": {"quiet_s": 100_000},
            "logging": {"format": "json"},
        }
        (folder / "node.yaml").write_text(json.dumps(settings))
        command = [sys.executable, "-m", "dicom_node.cli", "serve", "--config", str(folder / "node.yaml")]
        super().__init__(command, folder)
        self.wait_until(self._ready)

    def _ready(self) -> bool:
        try:
            with urlopen(f"http://127.0.0.1:{self._http}/health/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def stored(self) -> int:
        with sqlite3.connect(self.folder / "data" / "node.db") as database:
            count = database.execute("SELECT count(*) FROM instances").fetchone()[0]
        files = sum(1 for _ in (self.folder / "data" / "spool").glob("*/*/*.dcm"))
        return min(count, files)


class _Folder(Server):
    """A server that writes files to a folder; `command` follows with folder and port."""

    command: tuple[str, ...] = ()

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._out = folder / "out"
        self._out.mkdir()
        super().__init__([*self.command, "-aet", "BENCH", "-od", str(self._out), str(self.port)], folder)
        self.wait_until(lambda: _listens(self.port))

    def stored(self) -> int:
        return sum(1 for path in self._out.rglob("*") if path.is_file())


class Storescp(_Folder):
    """DCMTK's, with a process an association; it syncs nothing, encrypts nothing and keeps no index."""

    name = "storescp"

    command = ("storescp", "--fork", "+B")


#: The app itself, but for its limit of ten associations, which no option of it sets.
_PYNETDICOM = """
import sys
from pynetdicom import ae
class Entity(ae.ApplicationEntity):
    def __init__(self, *given, **named):
        super().__init__(*given, **named)
        self.maximum_associations = 64
from pynetdicom.apps.storescp import storescp
storescp.AE = Entity
storescp.main(sys.argv[1:])
"""


class Pynetdicom(_Folder):
    """pynetdicom's own storescp; it syncs nothing, encrypts nothing and keeps no index."""

    name = "pynetdicom"
    command = (sys.executable, "-c", _PYNETDICOM, "-q")


SERVERS = {kind.name: kind for kind in (Node, Orthanc, Storescp, Pynetdicom)}
