"""The node's master key: made at the first start, wraps and derives every other key."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from dicom_node.domain.errors import ConfigurationError, StorageFailure

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Names a file that holds the master key, in place of `keys/master.key` in the data folder.
KEY_FILE_VARIABLE: Final = "DICOM_NODE_MASTER_KEY_FILE"
KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12


class MasterKey:
    """256 bits that every other key hangs on. Never printed, logged or pickled.

    Parameters
    ----------
    secret
        32 random bytes.
    """

    __slots__ = ("_secret", "_wrapper")

    def __init__(self, secret: bytes) -> None:
        if len(secret) != KEY_BYTES:
            raise ConfigurationError(f"the master key has {len(secret)} bytes; it must have {KEY_BYTES}")
        self._secret = secret
        self._wrapper = AESGCM(self.derive("wrap"))

    def __repr__(self) -> str:
        return "MasterKey(<hidden>)"

    def __reduce__(self) -> str:
        raise TypeError("a master key is never pickled")

    def derive(self, purpose: str) -> bytes:
        """32 bytes for one purpose, the same at every start.

        References
        ----------
        RFC 5869 (HKDF-SHA256).
        """
        info = b"dicom-node/1/" + purpose.encode()
        return HKDF(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=None, info=info).derive(self._secret)

    def wrap(self, key: bytes, context: str) -> bytes:
        """Encrypt another key (AES-256-GCM), bound to `context`: it unwraps under the same context only."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._wrapper.encrypt(nonce, key, context.encode())

    def unwrap(self, wrapped: bytes, context: str) -> bytes:
        """Decrypt what `wrap` made.

        Raises
        ------
        StorageFailure
            If it was wrapped with another master key, for another context, or is damaged.
        """
        try:
            return self._wrapper.decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], context.encode())
        except (InvalidTag, ValueError) as exc:
            raise StorageFailure(
                "a stored key does not open with this master key; put back the master key that this data"
                " folder was made with"
            ) from exc


def load_master_key(data_dir: Path, environ: Mapping[str, str] | None = None) -> MasterKey:
    """Read the master key, or make it at the first start (`keys/master.key`, mode 0600, fsynced).

    Parameters
    ----------
    environ
        Environment variables; those of the process where it is left out.

    Raises
    ------
    ConfigurationError
        If others may read the file, it holds no 256-bit key, cannot be read, or is missing although
        keys were wrapped with it.
    """
    named = (os.environ if environ is None else environ).get(KEY_FILE_VARIABLE)
    if named:
        return MasterKey(_read(Path(named)))
    path = data_dir / "keys" / "master.key"
    try:
        if not path.exists():
            _create(path)
    except OSError as exc:
        raise ConfigurationError(
            f"{path}: cannot be made ({exc.strerror}); make its folder writable for the node's user, or name"
            f" a key file in {KEY_FILE_VARIABLE}"
        ) from exc
    return MasterKey(_read(path))


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            raw = file.read(4 * KEY_BYTES)
    except OSError as exc:
        raise ConfigurationError(
            f"{path}: the master key cannot be read ({exc.strerror}); make it readable for the node's user"
        ) from exc
    if mode & 0o077:
        raise ConfigurationError(
            f"{path}: others may read the master key (mode {mode:04o}); run `chmod 600 {path}`"
        )
    if len(raw) == KEY_BYTES:
        return raw
    try:
        secret = bytes.fromhex(raw.decode("ascii").strip())
    except ValueError:
        secret = b""
    if len(secret) != KEY_BYTES:
        raise ConfigurationError(
            f"{path}: holds no master key; it must hold {KEY_BYTES} bytes, or {2 * KEY_BYTES} hexadecimal"
            " digits (`openssl rand -hex 32`). Restore it from a backup where data exists already"
        )
    return secret


def _create(path: Path) -> None:
    folder = path.parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(entry.is_file() and not entry.name.startswith(".") for entry in folder.rglob("*")):
        if path.exists():
            return  # another process made it, and keys with it, since we looked
        raise ConfigurationError(
            f"{path}: is missing, but keys that it wraps are there; restore it from a backup (a new one could"
            " read none of the data), or move the data folder away to start afresh"
        )
    temporary = folder / f".master.{os.getpid()}.{os.urandom(4).hex()}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(os.urandom(KEY_BYTES).hex().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)  # unlike a rename it never replaces a key that another process made
        except FileExistsError:
            return
    finally:
        temporary.unlink()
    for changed in (folder, folder.parent):
        descriptor = os.open(changed, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
