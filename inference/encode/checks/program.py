"""`dciodvfy` of dicom3tools as a second opinion, where the program is installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from typing import BinaryIO, cast

import structlog

# What the program quotes of a data set stays here; names of attributes and modules may go on.
_QUOTED = re.compile(r"(?<!Element=)(?<!Module=)<[^>]*>|(?<== )\S.*$")


class Validator:
    """Runs `dciodvfy` on Part 10 bytes, which it reads from its standard input.

    Parameters
    ----------
    program
        Name or path.
    timeout_s
        Seconds for one object. A program that takes longer is logged and says nothing.
    """

    def __init__(self, program: str = "dciodvfy", timeout_s: float = 20) -> None:
        self._path = shutil.which(program)
        self._timeout_s = timeout_s
        self._log = structlog.get_logger()

    @property
    def present(self) -> bool:
        """Whether the program is installed."""
        return self._path is not None

    def errors(self, part10: bytes) -> list[str]:
        """The program's lines on an object that start with Error, without quoted values."""
        if self._path is None:
            return []
        try:
            with _open_file() as file:
                file.write(part10)
                file.seek(0)
                done = self._run(file)
        except (subprocess.TimeoutExpired, OSError) as exc:
            self._log.warning("validator_failed", code=type(exc).__name__)
            return []
        lines = done.stderr.decode("utf-8", "replace").splitlines()
        return [f"dciodvfy: {_QUOTED.sub('', line).strip()}" for line in lines if line.startswith("Error")]

    def _run(self, file: BinaryIO) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(  # noqa: S603 - the path comes from PATH, the input is our own object
            [str(self._path)],
            stdin=file,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=self._timeout_s,
            check=False,
        )


def _open_file() -> BinaryIO:
    """A file without a name, in memory where the system can: the program needs one that it can seek in."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("result"), "w+b")
    return cast("BinaryIO", tempfile.TemporaryFile())
