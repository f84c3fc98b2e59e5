"""QIDO-RS searches, apart from HTTP.

References
----------
PS3.18 §10.6.2 (behaviour), §8.3.4.4 (fuzzy matching), §8.3.4.5 (paging).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dicomweb.errors import bad_request
from dicomweb.qido.encoding import encode_row

if TYPE_CHECKING:
    from dicom_node.ports.catalog import Catalog
    from dicomweb.qido.parameters import Search


@dataclass(frozen=True, slots=True)
class Found:
    """The rows of a search as DICOM JSON, and texts for Warning headers (RFC 7234 §5.5)."""

    rows: tuple[dict[str, Any], ...]
    warnings: tuple[str, ...]


class SearchService:
    """Searches the catalog.

    Parameters
    ----------
    service_name
        Names the service in warnings.
    """

    def __init__(self, catalog: Catalog, service_name: str) -> None:
        self._catalog = catalog
        self._name = service_name

    def search(self, search: Search, root: str) -> Found:
        """Find and encode; `root` is the service's own URL.

        Raises
        ------
        Problem
            400 if a match value is malformed.
        StorageFailure
        """
        try:
            page = self._catalog.search(search.query)
        except ValueError as exc:
            raise bad_request(str(exc)) from exc
        rows = tuple(encode_row(row, search, root) for row in page.rows)
        return Found(
            rows, tuple(f"299 {self._name}: {text}" for text in self._notices(search, page.total, len(rows)))
        )

    def _notices(self, search: Search, total: int, returned: int) -> list[str]:
        notices = []
        if search.fuzzy:
            notices.append(
                "The fuzzymatching parameter is not supported. Only literal matching has been performed."
            )
        for asked, name in (
            (search.empty_matching, "emptyvaluematching"),
            (search.multiple_matching, "multiplevaluematching"),
        ):
            if asked:
                notices.append(f"The {name} parameter is not supported and was ignored.")
        remaining = total - search.query.offset - returned
        if remaining > 0:
            notices.append(f"There are {remaining} additional results that can be requested")
        return notices
