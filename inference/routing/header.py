"""The header of a DICOM file as the catalogue would keep it, without reading its pixels."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import pydicom

from dicom_node.domain.catalog import CatalogEntry, CatalogKind

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

#: What broken files make the library raise.
UNREADABLE = (pydicom.errors.InvalidDicomError, AttributeError, OSError, ValueError, KeyError, TypeError)


def read_entry(source: Path | BinaryIO, ref: str) -> CatalogEntry:
    """Read a header.

    Raises
    ------
    UNREADABLE
        One of these, if it is no DICOM file or names no study, series and instance.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they quote values
        ds = pydicom.dcmread(source, stop_before_pixels=True)
        # Only what routing reads; private and bulk attributes may be broken in ways that JSON cannot hold.
        attributes = {
            f"{element.tag:08X}": element.to_json_dict(None, 1024)
            for element in ds
            if not element.tag.is_private and element.VR not in {"OB", "OW", "OD", "OF", "OL", "OV", "UN"}
        }
    return CatalogEntry(
        study_id="folder",
        kind=CatalogKind.SOURCE,
        study_instance_uid=str(ds.StudyInstanceUID),
        series_instance_uid=str(ds.SeriesInstanceUID),
        sop_instance_uid=str(ds.SOPInstanceUID),
        sop_class_uid=str(ds.SOPClassUID),
        transfer_syntax_uid=str(ds.file_meta.TransferSyntaxUID),
        ref=ref,
        attributes=attributes,
    )
