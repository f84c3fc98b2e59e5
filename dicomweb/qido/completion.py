"""Values that the index leaves out as too long, read from the instances themselves.

References
----------
PS3.18 §8.3.4.3 (all available attributes of the object can be asked for).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dicom_node.domain.catalog import CatalogKind, QueryLevel
from dicom_node.domain.errors import Gone, NotFound
from dicomweb.dicom_json import JsonRules, encode_dataset
from dicomweb.instance_url import instance_url
from dicomweb.qido.encoding import omitted, uid_of, without

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pydicom.dataset import Dataset

    from dicom_node.domain.catalog_record import CatalogRecord
    from dicom_node.ports.catalog import Catalog

#: Series of a study in which a value of the study is looked for.
_MAX_SERIES = 16


class Completion:
    """Completes rows.

    Parameters
    ----------
    read_dataset
        The data set of a ref.
    """

    def __init__(self, catalog: Catalog, read_dataset: Callable[[str], Dataset]) -> None:
        self._catalog = catalog
        self._read = read_dataset

    def complete(self, row: dict[str, Any], level: QueryLevel, root: str) -> dict[str, Any]:
        """The row with what the index left out; without it where the instances were purged meanwhile.

        Raises
        ------
        StorageFailure, InvalidInstance
        """
        tags = omitted(row)
        if not tags:
            return row
        found: dict[str, Any] = {}
        for record in self._holders(row, level):
            found = self._values(record, [tag for tag in tags if tag not in found], root) | found
            if len(found) == len(tags):
                break
        return dict(sorted((without(row, tags) | found).items()))

    def _holders(self, row: dict[str, Any], level: QueryLevel) -> Sequence[CatalogRecord]:
        """Instances whose attributes stand for those of the row: inputs first, one of each series."""
        uids = [uid_of(row, one) for one in QueryLevel if one.depth <= level.depth]
        try:
            records = self._catalog.locate(*uids)
        except (NotFound, Gone):
            return ()
        by_series = {record.series_instance_uid: record for record in reversed(records)}
        ordered = sorted(by_series.values(), key=lambda one: one.kind is not CatalogKind.SOURCE)
        return ordered[:_MAX_SERIES]

    def _values(self, record: CatalogRecord, tags: list[str], root: str) -> dict[str, Any]:
        rules = JsonRules(bulk_root=f"{instance_url(root, record)}/bulkdata/")
        try:
            model = encode_dataset(self._read(record.ref), rules)
        except (NotFound, Gone):
            return {}
        return {tag: model[tag] for tag in tags if tag in model}
