"""WADO-RS as a client: instances as they arrive, in bounded memory.

References
----------
PS3.18 §10.4 (retrieve), §8.6.1 (parts), §8.7.3.1 (application/dicom).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from dicom_node.domain.errors import ArchiveFailed
from dicomweb.client.connection import check_status, no_answer
from dicomweb.media_types import DICOM, OCTET_STREAM, MediaType, parse_media_type
from dicomweb.multipart import MultipartError, MultipartParser
from dicomweb.part_spool import MemoryScratch, PartWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

    from dicom_node.ports.stores import ScratchFile

#: As they are stored: nothing is encoded anew for us. Services that do not know `*` get the second.
_ACCEPTS = (
    f'multipart/related; type="{DICOM}"; transfer-syntax=*',
    f'multipart/related; type="{DICOM}"',
)
_NOT_ACCEPTABLE = frozenset({400, 406})


def retrieve(
    client: httpx.Client, name: str, path: str, open_scratch: Callable[[], ScratchFile] = MemoryScratch
) -> Iterator[BinaryIO]:
    """Part 10 streams of a study, series or instance, each as soon as it is whole.

    Whoever takes a stream closes it.

    Raises
    ------
    ArchiveFailed
        If the answer breaks off or is no such message; what was given before counts.
    ArchiveRefused
        If the service will not give it.
    """
    for accept in _ACCEPTS:
        try:
            with client.stream("GET", path, headers={"Accept": accept}) as response:
                if response.status_code in _NOT_ACCEPTABLE and accept is not _ACCEPTS[-1]:
                    continue
                check_status(name, response)
                yield from _streams(name, response, open_scratch)
                return
        except httpx.HTTPError as exc:
            raise no_answer(name, exc) from exc
        except MultipartError as exc:
            raise ArchiveFailed(f"{name}: its answer broke off or is malformed ({exc})") from exc


def _streams(
    name: str, response: httpx.Response, open_scratch: Callable[[], ScratchFile]
) -> Iterator[BinaryIO]:
    content_type = parse_media_type(response.headers.get("content-type", ""))
    if content_type is not None and content_type.multipart and content_type.params.get("boundary"):
        yield from _parts(response, content_type.params["boundary"], open_scratch)
    elif content_type is not None and content_type.name == DICOM:
        yield _single(response, open_scratch)
    else:
        raise ArchiveFailed(f"{name}: answered with something else than instances")


def _parts(
    response: httpx.Response, boundary: str, open_scratch: Callable[[], ScratchFile]
) -> Iterator[BinaryIO]:
    parser = MultipartParser(boundary, lambda: PartWriter(open_scratch))
    try:
        for chunk in response.iter_bytes():
            for part in parser.feed(chunk):
                kind = parse_media_type(part.headers.get("content-type", DICOM)) or MediaType(DICOM)
                if kind.name in {DICOM, OCTET_STREAM}:
                    yield part.stream
                else:
                    part.stream.close()
        parser.finish()
    finally:
        parser.close()


def _single(response: httpx.Response, open_scratch: Callable[[], ScratchFile]) -> BinaryIO:
    writer = PartWriter(open_scratch)
    try:
        for chunk in response.iter_bytes():
            writer.write(chunk)
    except BaseException:
        writer.close()
        raise
    return writer.finish()
