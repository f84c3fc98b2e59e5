"""A small file system of a test's own, so that a disk can really be full."""

import contextlib
import os
import subprocess
from pathlib import Path

import pytest


class SmallDisk:
    """A tmpfs.

    Root mounts it; others do in a user namespace of a child process, and reach it through `/proc`.

    Parameters
    ----------
    folder
        Where it is mounted.
    options
        Of mount(8): `size=4m`, `nr_inodes=100`.
    """

    def __init__(self, folder, options):
        folder.mkdir()
        self._mounted = folder
        self._holder = None
        mount = ["mount", "-t", "tmpfs", "-o", f"{options},mode=700", "tmpfs", str(folder)]
        if os.geteuid() == 0:
            subprocess.run(mount, check=True)
            self.folder = folder
            return
        script = f"{' '.join(mount)} && echo mounted && exec sleep infinity"
        self._holder = subprocess.Popen(
            ["unshare", "--user", "--mount", "--map-root-user", "sh", "-c", script], stdout=subprocess.PIPE
        )
        if self._holder.stdout.readline() != b"mounted\n":
            self.close()
            raise OSError("neither root nor user namespaces can mount a small disk here")
        self.folder = Path(f"/proc/{self._holder.pid}/root{folder}")

    @property
    def free_bytes(self):
        facts = os.statvfs(self.folder)
        return facts.f_bavail * facts.f_frsize

    def fill(self, leave=0):
        """Write a file until only `leave` bytes are free; return it."""
        ballast = self.folder / "ballast"
        with ballast.open("ab", buffering=0) as file, contextlib.suppress(OSError):
            while self.free_bytes > leave:
                file.write(bytes(min(1 << 16, self.free_bytes - leave)))
        return ballast

    def close(self):
        if self._holder is None:
            # Lazily: what a killed child still has open must not keep it.
            subprocess.run(["umount", "--lazy", str(self._mounted)], check=True)
        else:
            self._holder.kill()
            self._holder.wait()
            self._holder.stdout.close()


@pytest.fixture
def small_disk(tmp_path):
    """A function that mounts a small disk: `small_disk("size=8m")`."""
    disks = []

    def mount(options):
        disks.append(SmallDisk(tmp_path / f"disk-{len(disks)}", options))
        return disks[-1]

    yield mount
    for disk in disks:
        disk.close()
