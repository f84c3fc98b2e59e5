"""What retrieval needs to know of an instance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dicom_node.domain.catalog import CatalogKind


@dataclass(frozen=True, slots=True)
class CatalogRecord:
    """`CatalogEntry` with its attributes as the text that is stored: parsing it costs more than finding it.

    Attributes
    ----------
    attributes_json
        Compact JSON of `CatalogEntry.attributes`, keys in ascending order; "" where it was not asked for.
    """

    kind: CatalogKind
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    ref: str
    version: int
    attributes_json: str = ""
