"""QIDO-RS searches, apart from HTTP.

References
----------
PS3.18 §10.6.2 (behaviour), §8.3.4.4 (paging and its warning).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dicomweb.errors import bad_request
from dicomweb.qido.encoding import encode_row

if TYPE_CHECKING:
    from dicom_node.domain.catalog import CatalogPage
    from dicom_node.ports.catalog import Catalog
    from dicomweb.qido.completion import Completion
    from dicomweb.qido.fields import Search


@dataclass(frozen=True, slots=True)
class Found:
    """The rows of a search as DICOM JSON, and texts for Warning headers (RFC 7234 §5.5)."""

    rows: tuple[dict[str, Any], ...]
    warnings: tuple[str, ...]


class SearchService:
    """Searches the catalog.

    Parameters
    ----------
    completion
        Reads what the catalog does not hold.
    """

    def __init__(self, catalog: Catalog, completion: Completion) -> None:
        self._catalog = catalog
        self._completion = completion

    def prompt(self, search: Search, root: str) -> Found | None:
        """What `search` finds, where that needs no thread of its own; `None` otherwise.

        Raises
        ------
        StorageFailure
        """
        page = self._catalog.prompt(search.query)
        return None if page is None else self._found(page, search, root)

    def search(self, search: Search, root: str) -> Found:
        """Find and encode; `root` is the service's own URL, which warnings name too.

        Raises
        ------
        Problem
            400 if a key or its value is malformed.
        SearchTooBroad, StorageFailure
        """
        try:
            page = self._catalog.search(search.query)
        except ValueError as exc:
            raise bad_request(str(exc)) from exc
        return self._found(page, search, root)

    def _found(self, page: CatalogPage, search: Search, root: str) -> Found:
        level = search.query.level
        rows = tuple(
            self._completion.complete(encode_row(row, search, root), level, root) for row in page.rows
        )
        return Found(rows, tuple(f"299 {root}: {text}" for text in _notices(search, page)))


def _notices(search: Search, page: CatalogPage) -> list[str]:
    notices = []
    remaining = page.total - search.query.offset - len(page.rows)
    if remaining > 0:
        notices.append(f"There are {remaining} additional results that can be requested")
    if page.uncompared:
        notices.append(
            f"{page.uncompared} objects hold a value of a matching key that is too long for the index;"
            " they were not compared"
        )
    return notices
