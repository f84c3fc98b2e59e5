"""A PostgreSQL cluster of our own: made for the session, on a socket in a temporary folder, no TCP port."""

import itertools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

#: Where Debian puts server programs, newest version last; elsewhere they are on the path.
_DEBIAN = Path("/usr/lib/postgresql")


def _programs():
    versions = sorted(_DEBIAN.glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if versions:
        return versions[-1].parent
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


def _as_server_user(command):
    # The server refuses to run as root.
    return ["runuser", "-u", "postgres", "--", *command] if os.geteuid() == 0 else command


class Cluster:
    """A running server.

    Parameters
    ----------
    programs
        Folder of `initdb` and `pg_ctl`.
    """

    def __init__(self, programs):
        # Not pytest's folder: a socket's path has at most 107 characters, and user postgres must reach it.
        self._folder = Path(tempfile.mkdtemp(prefix="pg-"))
        self._programs = programs
        self._numbers = itertools.count()
        if os.geteuid() == 0:
            shutil.chown(self._folder, "postgres")
        data = ["-D", f"{self._folder}/data"]
        self._run("initdb", *data, "-U", "node", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N")
        settings = ("listen_addresses=", f"unix_socket_directories={self._folder}", "max_connections=200")
        options = " ".join(f"-c {setting}" for setting in (*settings, "fsync=off"))
        self._run("pg_ctl", *data, "-w", "-l", f"{self._folder}/log", "-o", options, "start")

    def _run(self, program, *arguments):
        command = _as_server_user([f"{self._programs}/{program}", *arguments])
        # Output to a file: a server that inherits a pipe keeps it open, and we would wait for its end.
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(command, stdout=output, stderr=output, cwd="/", timeout=120, check=False)
            output.seek(0)
            assert done.returncode == 0, output.read().decode(errors="replace")

    def url(self, database="postgres"):
        return f"postgresql+psycopg://node@/{database}?host={self._folder}"

    def create(self):
        """A new database; returns its URL. It costs half a second: empty one rather than make another."""
        import psycopg

        name = f"test{next(self._numbers)}"
        with psycopg.connect(f"host={self._folder} user=node dbname=postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def restart(self):
        """Kill the server as a crash would, and start it again; connections are lost."""
        data = ["-D", f"{self._folder}/data"]
        self._run("pg_ctl", *data, "-w", "-m", "immediate", "-l", f"{self._folder}/log", "restart")

    def stop(self):
        self._run("pg_ctl", "-D", f"{self._folder}/data", "-w", "-m", "immediate", "stop")
        shutil.rmtree(self._folder)


@pytest.fixture(scope="session")
def postgresql():
    """A `Cluster`."""
    programs = _programs()
    if programs is None:
        pytest.skip("needs PostgreSQL's server programs (Debian package postgresql)")
    pytest.importorskip("psycopg")
    cluster = Cluster(programs)
    yield cluster
    cluster.stop()
