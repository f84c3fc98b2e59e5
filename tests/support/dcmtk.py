"""Tools of DCMTK and dicom3tools."""

import os
import shutil
import subprocess

import pytest

#: The Debian package of each tool that is not DCMTK's.
_PACKAGES = {"dciodvfy": "dicom3tools"}


@pytest.fixture(scope="session")
def tool():
    """A function that runs a tool (`tool("storescu", ...)`) and returns the completed process."""

    def run(name, *arguments, timeout=120):
        program = shutil.which(name)
        if program is None:
            pytest.skip(f"needs {_PACKAGES.get(name, 'dcmtk')}")
        return subprocess.run(
            [program, *map(str, arguments)],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
            env={**os.environ, "TCP_NODELAY": "1"},
        )

    return run


@pytest.fixture(scope="session")
def dciodvfy_errors(tool):
    """A function that returns the lines with `Error` that dciodvfy prints for a file."""

    def errors(path):
        done = tool("dciodvfy", path)
        lines = (done.stdout + done.stderr).splitlines()
        return [line for line in lines if line.startswith("Error")]

    return errors
