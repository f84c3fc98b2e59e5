"""Which SOP Classes and transfer syntaxes the node takes."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from pydicom.uid import (  # type: ignore[attr-defined] # UID_dictionary is not in its __all__
    ColorPaletteStorage,
    CTDefinedProcedureProtocolStorage,
    GenericImplantTemplateStorage,
    HangingProtocolStorage,
    ImplantAssemblyTemplateStorage,
    ImplantTemplateGroupStorage,
    InventoryStorage,
    MediaStorageDirectoryStorage,
    ProtocolApprovalStorage,
    UID_dictionary,
    XADefinedProcedureProtocolStorage,
)

if TYPE_CHECKING:
    from collections.abc import Collection

_STANDARD_ROOT = "1.2.840.10008."
#: Storage SOP Classes without patient and study (PS3.4 Annex GG), and the DICOMDIR.
_WITHOUT_STUDY = frozenset(
    str(uid)
    for uid in (
        ColorPaletteStorage,
        CTDefinedProcedureProtocolStorage,
        GenericImplantTemplateStorage,
        HangingProtocolStorage,
        ImplantAssemblyTemplateStorage,
        ImplantTemplateGroupStorage,
        InventoryStorage,
        MediaStorageDirectoryStorage,
        ProtocolApprovalStorage,
        XADefinedProcedureProtocolStorage,
    )
)
#: In the current PS3.4 Table B.5-1, but not in the dictionary of pydicom 3.0, by keyword.
_ADDED = {
    "WaveformPresentationStateStorage": "1.2.840.10008.5.1.4.1.1.9.100.1",
    "WaveformAcquisitionPresentationStateStorage": "1.2.840.10008.5.1.4.1.1.9.100.2",
    "LabelMapSegmentationStorage": "1.2.840.10008.5.1.4.1.1.66.7",
    "HeightMapSegmentationStorage": "1.2.840.10008.5.1.4.1.1.66.8",
}
#: Roots of the transfer syntaxes that a data set in a file can have. What is outside (XML, MIME, real-time
#: video over SMPTE ST 2110, Papyrus) is no DICOM file encoding.
_FILE_ENCODINGS = (
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.4.",
    "1.2.840.10008.1.2.8.",
)
_FILE_ENCODINGS_WHOLE = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.5")


@cache
def storage_sop_classes() -> frozenset[str]:
    """UIDs of the standard's Storage SOP Classes with a patient and a study, retired ones too.

    Of PS3.4 2026b; classes of DICONDE and DICOS are for materials and baggage, not for patients.

    References
    ----------
    PS3.4 §B.5, PS3.6 Annex A.
    """
    known = {
        uid
        for uid, (name, kind, _info, _retired, _keyword) in UID_dictionary.items()
        if kind == "SOP Class" and "Storage" in name and "Commitment" not in name
    }
    return frozenset(known | set(_ADDED.values())) - _WITHOUT_STUDY


def is_taken_private(sop_class_uid: str, private: Collection[str] | bool) -> bool:
    """Whether a SOP Class is outside the standard's root, and configured to be stored.

    Parameters
    ----------
    private
        The UIDs that are; True for all.
    """
    if sop_class_uid.startswith(_STANDARD_ROOT):
        return False
    return private if isinstance(private, bool) else sop_class_uid in private


@cache
def transfer_syntaxes() -> frozenset[str]:
    """UIDs of the transfer syntaxes that the node stores; compressed ones are kept as they are.

    JPEG XL and Deflated Image Frame Compression are not among them: no decoder here reads them, so that
    text in their pixels could not be looked for. Senders convert where a context is refused.

    References
    ----------
    PS3.5 §10, PS3.6 Annex A.
    """
    return frozenset(
        uid
        for uid, (name, kind, *_rest) in UID_dictionary.items()
        if kind == "Transfer Syntax"
        and (uid in _FILE_ENCODINGS_WHOLE or uid.startswith(_FILE_ENCODINGS))
        # The pixel data of these lies elsewhere: there is nothing to de-identify or to compute on.
        and not name.startswith("JPIP")
    )
