"""Fetches a public model on the operator's word and makes a package of it. Never at run time."""

from __future__ import annotations

import shutil
import ssl
import stat
import uuid
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import yaml

from dicom_node.domain.errors import ConfigurationError
from inference.installed_files import sha256_of
from inference.manifest import FILE_NAME, read_manifest

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference.packages.public_models import PublicFile, PublicModel

#: Bytes that a file may have, and an archive when it is unpacked.
LARGEST, LARGEST_UNPACKED = 8 * 2**30, 16 * 2**30
_PIECE = 2**20


def install_public(
    model: PublicModel,
    models_dir: Path,
    *,
    source: Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Path:
    """Fetch a model's files and write its package; returns the package's folder.

    Parameters
    ----------
    models_dir
        The folder of packages that it is put into.
    source
        A file, or a folder with the files under their names; without it they are fetched.
    progress
        Told what is done, for people.

    Raises
    ------
    ConfigurationError
        If it is there already, a file cannot be had, or is not the one that is meant.
    """
    folder = models_dir / model.name
    if folder.exists():
        raise ConfigurationError(f"{folder} is there already; remove it to install it anew")
    beside = models_dir / f".{model.name}-{uuid.uuid4().hex}"
    beside.mkdir(parents=True)
    try:
        for file in model.files:
            _bring(file, beside, source, progress)
        _describe(model, beside)
        beside.rename(folder)
    except OSError as exc:
        raise ConfigurationError(f"{models_dir} cannot be written ({exc.strerror})") from exc
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return folder


def _bring(file: PublicFile, folder: Path, source: Path | None, progress: Callable[[str], None]) -> None:
    name = Path(urlsplit(file.url).path).name
    fetched = folder / f".{name}"
    if source is None:
        progress(f"fetching {file.url}")
        _fetch(file.url, fetched)
    else:
        given = source / name if source.is_dir() else source
        if not given.is_file():
            raise ConfigurationError(f"{given} is not there; {name} is needed, from {file.url}")
        shutil.copyfile(given, fetched)
    digest = sha256_of(fetched)
    _compare(file, name, digest, progress)
    target = folder / file.path
    target.parent.mkdir(parents=True, exist_ok=True)
    if not file.unpack:
        fetched.rename(target)
        return
    _unpack(fetched, target)
    fetched.unlink()


def _compare(file: PublicFile, name: str, digest: str, progress: Callable[[str], None]) -> None:
    known = file.sha256 or file.sha256_prefix
    if known is None:
        progress(f"{name}: SHA-256 {digest}; which it should be is not known, this one is recorded")
    elif digest.startswith(known):
        progress(f"{name}: SHA-256 {digest}, as expected")
    else:
        raise ConfigurationError(
            f"{name} has SHA-256 {digest}, expected {known}: it is another file; nothing installed"
        )


def _fetch(url: str, to: Path) -> None:
    if urlsplit(url).scheme != "https":
        raise ConfigurationError(f"{url}: only https is fetched; download it yourself and use --from")
    try:
        with (
            httpx.Client(verify=ssl.create_default_context(), follow_redirects=True, timeout=60) as client,
            client.stream("GET", url) as response,
            to.open("wb") as stream,
        ):
            response.raise_for_status()
            if any(one.url.scheme != "https" for one in (*response.history, response)):
                raise ConfigurationError(f"{url} leads to an address without https; nothing installed")
            for count, piece in enumerate(response.iter_bytes(_PIECE), 1):
                if count * _PIECE > LARGEST:
                    raise ConfigurationError(f"{url} is larger than {LARGEST >> 30} GiB; nothing installed")
                stream.write(piece)
    except httpx.HTTPStatusError as exc:
        raise ConfigurationError(
            f"{url} answers {exc.response.status_code}; the address may have moved"
        ) from exc
    except httpx.HTTPError as exc:
        raise ConfigurationError(
            f"{urlsplit(url).hostname} cannot be reached ({type(exc).__name__}). Without internet access:"
            f" download {url} on another machine and call this again with --from FILE"
        ) from exc


def _unpack(archive: Path, target: Path) -> None:
    try:
        with zipfile.ZipFile(archive) as packed:
            entries = packed.infolist()
            if sum(entry.file_size for entry in entries) > LARGEST_UNPACKED:
                raise ConfigurationError(f"{archive.name[1:]} would unpack to too much; nothing installed")
            for entry in entries:
                parts = Path(entry.filename).parts
                if entry.filename.startswith("/") or ".." in parts or stat.S_ISLNK(entry.external_attr >> 16):
                    raise ConfigurationError(
                        f"{archive.name[1:]} would write outside of its folder; nothing installed"
                    )
            packed.extractall(target)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as exc:
        raise ConfigurationError(f"{archive.name[1:]} is no zip archive that can be read") from exc


def _describe(model: PublicModel, folder: Path) -> None:
    """Write `model.yaml`, or how to make a package where nothing here can run the model."""
    if model.package is None:
        text = f"{model.title}\n{model.project}\n\n{model.how or ''}\n"
        (folder / "HOW.txt").write_text(text, encoding="utf-8")
        return
    manifest = {
        "schema": 1,
        "name": model.name,
        "device_uid": f"2.25.{uuid.uuid5(uuid.NAMESPACE_URL, model.project + model.name).int}",
        "ai": True,
        "family": ["123110", "DCM", "Artificial Intelligence"],
        **model.package,
        "weights": [
            {"role": role, "path": path, "sha256": sha256_of(folder / path)} for role, path in model.weights
        ],
    }
    text = yaml.safe_dump(manifest, sort_keys=False, allow_unicode=True, width=110)
    (folder / FILE_NAME).write_text(f"# {model.title}\n# {model.project}\n{text}", encoding="utf-8")
    read_manifest(folder)
