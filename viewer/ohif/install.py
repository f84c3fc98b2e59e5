"""Installs the pinned OHIF: `python -m viewer.ohif.install [--to DIR] [--tarball FILE]`."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from dicom_node.domain.errors import ConfigurationError
from viewer.ohif.release import PACKAGE, VERSION, find_ohif, is_installed, standard_folders
from viewer.ohif.unpack import check_integrity, unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TextIO

__all__ = ["find_ohif", "install", "main"]

#: Seconds for fetching 50 MB over a slow line.
_FETCH_TIMEOUT_S = 900


def install(
    folder: Path,
    tarball: Path | None = None,
    *,
    npm: str | None = None,
    say: Callable[[str], None] = lambda _line: None,
) -> bool:
    """Install OHIF into `folder`; nothing happens where it is there already.

    Parameters
    ----------
    tarball
        The npm package as a file; without it `npm pack` fetches it.
    npm
        The npm program; by default the one on the PATH.
    say
        Takes lines for people.

    Returns
    -------
    bool
        `True` where it was installed now, `False` where it was there.

    Raises
    ------
    ConfigurationError
        If npm is missing or fails, the file is not the pinned one, or the folder cannot be written;
        the message says how to add the viewer.
    """
    if is_installed(folder):
        return False
    with tempfile.TemporaryDirectory(prefix="ohif-") as downloads:
        if tarball is None:
            tarball = _fetch(Path(downloads), npm or shutil.which("npm"), say)
        check_integrity(tarball)
        say(f"Unpacking into {folder} ...")
        unpack(tarball, folder)
    return True


def _fetch(downloads: Path, npm: str | None, say: Callable[[str], None]) -> Path:
    if npm is None:
        raise ConfigurationError(f"npm is not installed, so the viewer was not added.\n{how_to_add()}")
    say(f"Fetching {PACKAGE}@{VERSION} (50 MB) with npm ...")
    command = [npm, "pack", f"{PACKAGE}@{VERSION}", "--ignore-scripts", "--pack-destination", str(downloads)]
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments, no shell
            command, capture_output=True, text=True, timeout=_FETCH_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise ConfigurationError(
            f"npm did not fetch the viewer ({type(exc).__name__}).\n{how_to_add()}"
        ) from exc
    tarball = next(iter(sorted(downloads.glob("*.tgz"))), None)
    if done.returncode != 0 or tarball is None:
        lines = [line for line in done.stderr.splitlines() if "error" in line.lower()][:3]
        said = "\n  ".join(["npm could not fetch the viewer:", *lines])
        raise ConfigurationError(f"{said}\n{how_to_add()}")
    return tarball


def how_to_add() -> str:
    """How to add the viewer later, in lines for people."""
    command = f"{_python()} -m viewer.ohif.install"
    return (
        "To add it: install Node.js (it brings npm) and run\n"
        f"  {command}\n"
        f"or, on a machine with npm, run `npm pack {PACKAGE}@{VERSION}`, copy the file here and run\n"
        f"  {command} --tarball ohif-app-{VERSION}.tgz\n"
        "The node works without the viewer; everything else is there."
    )


def _python() -> str:
    running = Path(sys.executable)
    here = Path.cwd()
    return str(running.relative_to(here)) if running.is_relative_to(here) else "python"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code (0 done, 1 failed)."""
    parser = argparse.ArgumentParser(prog="python -m viewer.ohif.install", description=__doc__)
    parser.add_argument(
        "--to", type=Path, default=standard_folders()[0], help="folder (default: %(default)s)"
    )
    parser.add_argument("--tarball", type=Path, help=f"the npm package {PACKAGE}@{VERSION} as a file")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    try:
        new = install(options.to, options.tarball, say=lambda line: _write(sys.stdout, line))
    except ConfigurationError as exc:
        _write(sys.stderr, str(exc))
        return 1
    took = f"in {time.monotonic() - started:.0f} s" if new else "(was there already)"
    _write(sys.stdout, f"OHIF {VERSION} is ready {took}: {options.to}")
    return 0


def _write(stream: TextIO, line: str) -> None:
    stream.write(line + "\n")
    stream.flush()


if __name__ == "__main__":
    sys.exit(main())
