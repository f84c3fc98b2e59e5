"""Files that appear whole or not at all, and survive a power cut once `write` returned."""

from __future__ import annotations

import contextlib
import itertools
import os
from typing import TYPE_CHECKING

from dicom_node.storage.file_systems import names_are_ordered
from dicom_node.storage.paths import fsync_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path


_MAKE_ATTEMPTS = 5


class AtomicFiles:
    """Writes files below a root: temporary file, fsync, rename, fsync of the folder.

    Parameters
    ----------
    root
        Made where it is missing.
    """

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        self.temporary = root / ".tmp"
        self.temporary.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Unique among processes too, a restarted container with the same process id included.
        self._stem = f"{self.temporary}/.{os.getpid()}-{os.urandom(6).hex()}-"
        self._numbers = itertools.count()
        self._known: set[str] = set()
        self._names_are_ordered = names_are_ordered(self.temporary)

    def write(
        self, folder: str, name: str, pieces: Iterable[bytes], *, before_folder: Callable[[], None]
    ) -> None:
        """Write `pieces` to `<root>/<folder>/<name>`, replacing what is there.

        `before_folder` is called before the folder is made again that somebody removed meanwhile, and
        may refuse by raising.

        Raises
        ------
        OSError
        """
        target = f"{self._root}/{folder}/{name}"
        temporary = f"{self._stem}{next(self._numbers)}"
        if folder not in self._known:
            self._make(folder)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        named = False
        try:
            try:
                for piece in pieces:
                    _write_all(descriptor, piece)
                named = self._name_first(temporary, target)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            if not named:
                try:
                    os.rename(temporary, target)  # noqa: PTH104  plain paths keep the hot path short
                except FileNotFoundError:
                    before_folder()
                    self._make(folder)
                    os.rename(temporary, target)  # noqa: PTH104
        except BaseException:
            _unlink_quietly(target if named else temporary)
            raise
        if not named or not self._names_are_ordered:
            fsync_folder(f"{self._root}/{folder}")

    def create(self, folder: str, name: str, *, before_folder: Callable[[], None]) -> NewFile:
        """Make `<root>/<folder>/<name>` for this caller alone; where that is taken, one with a longer name.

        It is under its name from the start: nobody knows that before `NewFile.commit` returned, so what a
        crash leaves harms nothing. That takes one change of a folder, where a temporary file takes three.

        Raises
        ------
        OSError
        """
        if folder not in self._known:
            self._make(folder)
        try:
            return self._create(folder, name)
        except FileExistsError:
            stem, dot, ending = name.rpartition(".")
            return self._create(folder, f"{stem}-{os.urandom(6).hex()}{dot}{ending}")
        except FileNotFoundError:
            before_folder()
            self._make(folder)
            return self._create(folder, name)

    def _create(self, folder: str, name: str) -> NewFile:
        path = f"{self._root}/{folder}/{name}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        return NewFile(descriptor, path, sync_folder=not self._names_are_ordered)

    def _name_first(self, temporary: str, target: str) -> bool:
        """Give a new file its name before its fsync, so that one journal commit holds both.

        Nobody knows the name yet, so a torn file under it harms nothing after a power cut. A name that is
        taken stays with its durable file until the new bytes are durable too.
        """
        try:
            os.link(temporary, target)
        except OSError:  # the name is taken, the folder is gone, or the file system has no links
            return False
        os.unlink(temporary)  # noqa: PTH108
        return True

    def forget(self, folder: str) -> None:
        """A folder was removed: make it again where it is written to."""
        self._known.discard(folder)

    def remove_if_empty(self, folder: str) -> None:
        """Remove a folder that holds nothing; nothing happens where it does."""
        try:
            os.rmdir(f"{self._root}/{folder}")  # noqa: PTH106
        except OSError:
            return
        fsync_folder(self._root)

    def _make(self, folder: str) -> None:
        for _ in range(_MAKE_ATTEMPTS - 1):
            try:
                return self._make_once(folder)
            except FileNotFoundError:
                continue  # a purge removed an empty folder that we were about to use
        return self._make_once(folder)

    def _make_once(self, folder: str) -> None:
        path = self._root
        for part in folder.split("/"):
            parent, path = path, f"{path}/{part}"
            with contextlib.suppress(FileExistsError):
                os.mkdir(path, 0o700)  # noqa: PTH102
            # Also where it was there: another thread may have made it and not come to this line yet.
            fsync_folder(parent)
        self._known.add(folder)


class NewFile:
    """A file that one caller writes: committed or abandoned in the end, never neither.

    Attributes
    ----------
    name
        Within its folder.
    """

    def __init__(self, descriptor: int, path: str, *, sync_folder: bool) -> None:
        self._descriptor = descriptor
        self._path = path
        self._sync_folder = sync_folder
        self._open = True
        self.name = path.rpartition("/")[2]

    def write(self, pieces: Sequence[bytes]) -> None:
        """Add bytes at the end.

        Raises
        ------
        OSError
        """
        written = os.writev(self._descriptor, pieces)
        if written < sum(map(len, pieces)):
            _write_all(self._descriptor, b"".join(pieces)[written:])

    def commit(self) -> None:
        """Make bytes and name durable; what fails leaves no file.

        Raises
        ------
        OSError
        """
        try:
            os.fsync(self._descriptor)
            if self._sync_folder:
                fsync_folder(self._path.rpartition("/")[0])
        except BaseException:
            self.abandon()
            raise
        self._close()

    def abandon(self) -> None:
        """Remove it; nothing happens the second time, or after `commit`."""
        if self._open:
            _unlink_quietly(self._path)
            self._close()

    def _close(self) -> None:
        self._open = False
        os.close(self._descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    written = os.write(descriptor, data)
    while written < len(data):
        written += os.write(descriptor, memoryview(data)[written:])


def _unlink_quietly(path: str) -> None:
    try:
        os.unlink(path)  # noqa: PTH108
    except OSError:
        # What stays is swept at a later start; the error that led here is the one to tell.
        return
