"""What DICOMweb finds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dicom_node.domain.catalog import CatalogEntry, CatalogPage, CatalogQuery
    from dicom_node.domain.catalog_record import CatalogRecord


class Catalog(Protocol):
    """What DICOMweb searches and retrieves."""

    def publish(self, entries: Sequence[CatalogEntry]) -> None:
        """Add or replace entries in one transaction."""

    def withdraw_sources(self, study_id: str) -> None:
        """Take the inputs of a study out; their UIDs stay known as purged."""

    def withdraw_results(self, study_id: str, before_version: int) -> None:
        """Take the results of older versions out of searches and retrieval."""

    def search(self, query: CatalogQuery) -> CatalogPage:
        """Matches of a query.

        Raises
        ------
        ValueError
            If a key or its value is malformed (a date range, say); the message names the attribute.
        SearchTooBroad
            If too much would have to be read for keys that are not indexed.
        """

    def prompt(self, query: CatalogQuery) -> CatalogPage | None:
        """The page of a search that takes less time than handing it to another thread; `None` for others.

        Raises
        ------
        StorageFailure
        """

    def find(
        self,
        study_instance_uid: str,
        series_instance_uid: str | None = None,
        sop_instance_uid: str | None = None,
    ) -> Sequence[CatalogEntry]:
        """Entries under these UIDs, ordered by series, instance number and SOP Instance UID.

        Raises
        ------
        NotFound
            If nothing was ever known under them.
        Gone
            If all that was known under them is purged.
        """

    def locate(
        self,
        study_instance_uid: str,
        series_instance_uid: str | None = None,
        sop_instance_uid: str | None = None,
        *,
        attributes: bool = False,
    ) -> Sequence[CatalogRecord]:
        """The same entries for retrieval, in the same order; with the stored text of their attributes.

        A series goes with its study, an instance with its series. Never from a cache: what was
        withdrawn a moment ago is gone.

        Raises
        ------
        NotFound, Gone
            As `find`.
        """


class AttributeReader(Protocol):
    """Reads the searchable attributes of an instance."""

    def read(self, part10: bytes) -> tuple[str, dict[str, Any]]:
        """(transfer syntax UID, attributes as `CatalogEntry.attributes`)."""
