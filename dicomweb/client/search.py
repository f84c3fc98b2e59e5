"""QIDO-RS as a client, page by page.

References
----------
PS3.18 §10.6 (search), §8.3.4.4 (paging).
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import httpx

from dicom_node.domain.errors import ArchiveFailed, ArchiveRefused
from dicomweb.client.connection import check_status, no_answer
from dicomweb.media_types import DICOM_JSON

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Results that we ask for at a time.
PAGE = 1000
#: Bounds what a service can make us read: a million instances.
_MAX_PAGES = 1000
_MAX_ANSWER = 256 * 1024 * 1024


def search(
    client: httpx.Client, name: str, path: str, params: dict[str, str], *, key: str
) -> Iterator[dict[str, Any]]:
    """All results, each once, in the service's order.

    Parameters
    ----------
    key
        Tag of the attribute that tells results apart. A page without any new one is the last: some
        services ignore `offset`.

    Raises
    ------
    ArchiveFailed, ArchiveRefused
    """
    seen: set[str] = set()
    offset = 0
    for _ in range(_MAX_PAGES):
        page = _page(client, name, path, {**params, "limit": str(PAGE), "offset": str(offset)})
        fresh = 0
        for found in page:
            uid = first_text(found, key)
            if uid and uid not in seen:
                seen.add(uid)
                fresh += 1
                yield found
        if not fresh:
            return
        offset += len(page)


def _page(client: httpx.Client, name: str, path: str, params: dict[str, str]) -> list[dict[str, Any]]:
    body = bytearray()
    try:
        with client.stream("GET", path, params=params, headers={"Accept": DICOM_JSON}) as response:
            if response.status_code == HTTPStatus.NO_CONTENT:
                return []
            check_status(name, response)
            for piece in response.iter_bytes():
                body += piece
                if len(body) > _MAX_ANSWER:
                    raise ArchiveRefused(f"{name}: answered a search with more than {_MAX_ANSWER} bytes")
    except httpx.HTTPError as exc:
        raise no_answer(name, exc) from exc
    if not body.strip():
        return []
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise ArchiveFailed(f"{name}: answered a search with something else than DICOM JSON") from exc
    if not isinstance(found, list):
        raise ArchiveFailed(f"{name}: answered a search with something else than an array")
    return [item for item in found if isinstance(item, dict)]


def first_number(model: dict[str, Any], tag: str) -> int | None:
    """The first value of an attribute as a whole number, `None` where there is none."""
    attribute = model.get(tag)
    values = attribute.get("Value") if isinstance(attribute, dict) else None
    try:
        return int(values[0]) if isinstance(values, list) and values else None
    except (TypeError, ValueError):
        return None


def first_text(model: dict[str, Any], tag: str) -> str:
    """The first value of an attribute, empty where there is none or it is no text."""
    attribute = model.get(tag)
    values = attribute.get("Value") if isinstance(attribute, dict) else None
    value = values[0] if isinstance(values, list) and values else ""
    return value if isinstance(value, str) else ""
