"""Asks dciodvfy whether an output breaks a rule of its IOD that the input kept.

dciodvfy (Debian package dicom3tools) is a program of its own; where it is not installed, nothing is asked.

References
----------
PS3.15 §E.1.1 (the de-identified instance stays a valid instance of its IOD); PS3.3.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import Counter
from typing import TYPE_CHECKING, Final

from anonymizer.errors import CannotVouch
from anonymizer.pixels.extent import PIXELS

if TYPE_CHECKING:
    from anonymizer.codec import Dataset
    from anonymizer.part10 import Part10

#: Seconds; one instance takes some milliseconds.
_TIMEOUT: Final = 30
_ATTRIBUTE: Final = re.compile(r"([A-Za-z0-9]+)\([0-9a-f]{4},[0-9a-f]{4}\)(?:\[\d+\])?> -")
_VALUE: Final = re.compile(r" = <.*")


class IodValidator:
    """Compares an output with its input, pixels left aside. Thread-safe; nothing is written to a disk.

    Parameters
    ----------
    command
        Path of dciodvfy.
    """

    def __init__(self, command: str, part10: Part10) -> None:
        self._command = command
        self._part10 = part10

    @classmethod
    def where_installed(cls, part10: Part10) -> IodValidator | None:
        """One that asks the dciodvfy that is on the path; `None` where there is none."""
        command = shutil.which("dciodvfy")
        return None if command is None else cls(command, part10)

    def check(self, before: Dataset, after: Dataset) -> None:
        """Pass where the output breaks no rule that the input kept.

        Raises
        ------
        CannotVouch
            `iod-violation`, with the keyword of the first attribute concerned.
        """
        new = self._errors(after) - self._errors(before)
        if not new:
            return
        first = min(new)
        match = _ATTRIBUTE.search(first)
        raise CannotVouch(
            "iod-violation",
            "de-identified, the object would break a rule of its kind that it kept before; report the"
            " attribute, and leave it out at the sender meanwhile",
            match[1] if match else None,
        )

    def _errors(self, dataset: Dataset) -> Counter[str]:
        header = {tag: element for tag, element in dataset.items() if tag not in PIXELS}
        # Whatever the transfer syntax was: the rules concern attributes.
        data = self._part10.write(header, "1.2.840.10008.1.2.1")
        handle = os.memfd_create("iod")
        try:
            os.write(handle, data)
            done = subprocess.run(  # noqa: S603  # the path that `which` found, and a file descriptor
                [self._command, "-new", f"/proc/self/fd/{handle}"],
                capture_output=True,
                check=False,
                pass_fds=(handle,),
                timeout=_TIMEOUT,
            )
        except (OSError, subprocess.TimeoutExpired):
            return Counter()
        finally:
            os.close(handle)
        lines = (done.stdout + done.stderr).decode("latin-1").splitlines()
        return Counter(_VALUE.sub("", line) for line in lines if line.startswith("Error"))
