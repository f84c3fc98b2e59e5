"""Programs that npm's registry holds, fetched once into the checkout's cache and checked."""

import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from viewer.ohif.unpack import check_integrity

_CACHE = Path(__file__).resolve().parents[2] / ".cache" / "npm"


def npm_file(package, version, integrity, member):
    """A file of a package, by its path within; skips where npm is missing."""
    npm = shutil.which("npm")
    folder = _CACHE / package / version
    tarball = folder / f"{package}-{version}.tgz"
    if not tarball.is_file():
        if npm is None:
            pytest.skip("needs npm")
        folder.mkdir(parents=True, exist_ok=True)
        command = [npm, "pack", f"{package}@{version}", "--ignore-scripts", "--pack-destination", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
    check_integrity(tarball, integrity)
    with tarfile.open(tarball) as archive:
        archive.extract(f"package/{member}", folder, filter="data")
    return folder / "package" / member
