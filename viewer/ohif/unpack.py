"""Unpacks the verified npm tarball into a folder that the node can serve."""

from __future__ import annotations

import base64
import gzip
import hashlib
import os
import shutil
import tarfile
import tempfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from dicom_node.domain.errors import ConfigurationError
from viewer.ohif.release import INTEGRITY, MARKER, is_installed, marker_text
from viewer.ohif.rewrite import rewrite, wanted

if TYPE_CHECKING:
    from collections.abc import Iterator

_BUILD = PurePosixPath("package/dist")
#: Bytes of one file and of all together, well above the real build (23 MB and 200 MB).
_MAX_FILE = 64 * 2**20
_MAX_TOTAL = 512 * 2**20
_COMPRESSIBLE = frozenset({".js", ".css", ".html", ".json", ".jsonc", ".svg", ".wasm"})
_WORTH_COMPRESSING = 1024


def check_integrity(tarball: Path, integrity: str = INTEGRITY) -> None:
    """Compare a file with its subresource integrity.

    Raises
    ------
    ConfigurationError
        If the file cannot be read or is another one.
    """
    algorithm, _, expected = integrity.partition("-")
    try:
        with tarball.open("rb") as stream:
            digest = hashlib.file_digest(stream, algorithm).digest()
    except OSError as exc:
        raise ConfigurationError(f"{tarball}: cannot be read ({exc.strerror})") from exc
    if base64.b64encode(digest).decode() != expected:
        raise ConfigurationError(
            f"{tarball}: is not the expected file (its {algorithm} differs from the pinned one);"
            " delete it and fetch it again"
        )


def unpack(tarball: Path, folder: Path) -> None:
    """Put the build into `folder`, rewritten for the node and with gzip copies; all or nothing.

    The tarball must have been checked. What was at `folder` is replaced.

    Raises
    ------
    ConfigurationError
        If the archive is broken, has unsafe members, or the folder cannot be written.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as staging:
            build = Path(staging) / "build"
            build.mkdir()
            for path, data in _members(tarball):
                _place(build.joinpath(*path.parts), rewrite(path, data))
            (build / MARKER).write_text(marker_text(), encoding="utf-8")
            _swap(build, folder, Path(staging) / "replaced")
    except tarfile.TarError as exc:
        raise ConfigurationError(f"{tarball}: is no readable npm package; fetch it again") from exc
    except OSError as exc:
        raise ConfigurationError(f"{folder}: cannot be written ({exc.strerror}); give --to a folder") from exc


def _members(tarball: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    total = 0
    with tarfile.open(tarball, "r:gz") as archive:
        for member in archive:
            path = PurePosixPath(member.name)
            if not path.is_relative_to(_BUILD):
                continue
            if member.isdir():
                continue
            below = path.relative_to(_BUILD)
            total += member.size
            if not member.isfile() or ".." in path.parts or not below.parts or "\\" in member.name:
                raise ConfigurationError(f"{tarball}: holds a member that is no plain file of the build")
            if member.size > _MAX_FILE or total > _MAX_TOTAL:
                raise ConfigurationError(f"{tarball}: is larger than this version of OHIF can be")
            if not wanted(below):
                continue
            stream = archive.extractfile(member)
            if stream is not None:
                yield below, stream.read()


def _place(target: Path, data: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    if target.suffix in _COMPRESSIBLE and len(data) >= _WORTH_COMPRESSING:
        packed = gzip.compress(data, compresslevel=6, mtime=0)
        if len(packed) < 0.9 * len(data):
            target.with_name(target.name + ".gz").write_bytes(packed)


def _swap(build: Path, folder: Path, aside: Path) -> None:
    # Two installers may run at once: the second finds a good folder and leaves it.
    if is_installed(folder):
        return
    if folder.is_symlink() or folder.is_file():
        raise ConfigurationError(f"{folder}: is no folder; give --to another place")
    if folder.exists():
        folder.rename(aside)
    try:
        os.rename(build, folder)  # noqa: PTH104 - raises where another installer was faster
    except OSError:
        if not is_installed(folder):
            raise
    shutil.rmtree(aside, ignore_errors=True)
