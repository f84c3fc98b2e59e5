"""Identity in every attribute of the standard that can hold it, at the top and in items."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leak_corpus.catalogue import Catalogue
from leak_corpus.draft import raw
from pydicom._dicom_dict import DicomDictionary
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from leak_corpus.draft import Draft

EVERYWHERE = Catalogue("everywhere")

#: Without these an object cannot be read, or its pixels cannot.
_STRUCTURE = frozenset(
    {"SpecificCharacterSet", "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID",
     "PhotometricInterpretation", "Modality", "ImageType", "FrameOfReferenceUID", "BurnedInAnnotation",
     "ReferencedSOPClassUID", "DirectoryRecordType", "PatientID", "RecognizableVisualFeatures"}
)  # fmt: skip


def attributes(*vrs: str) -> Iterator[tuple[int, str]]:
    """(tag, keyword) of the data set's attributes of some VRs, repeating groups left out."""
    for tag, (vr, _, _, _, keyword) in DicomDictionary.items():
        if vr in vrs and tag >> 16 >= 8 and keyword and keyword not in _STRUCTURE:
            yield tag, keyword


def _top(*vrs: str) -> Callable[[Draft, str], Dataset]:
    def fill(draft: Draft, value: str) -> Dataset:
        ds = draft.image()
        planted = {keyword for _, keyword in attributes(*vrs)}
        for tag, _ in attributes(*vrs):
            raw(ds, tag, DicomDictionary[tag][0], value.encode())
        draft.drop(
            lambda c: (
                bool(c.path) and c.path[0] in planted and c.action not in ("tag_retained", "patid_consistent")
            )
        )
        return ds

    return fill


def _texts(name: str, spell: Callable[[Draft], str], *vrs: str) -> None:
    def plant(draft: Draft) -> None:
        _top(*vrs)(draft, spell(draft))

    EVERYWHERE.add(name, plant)


_texts("family-name-in-texts", lambda draft: draft.person.family, "LO", "SH", "ST", "LT", "UT", "UC", "PN")
_texts("name-in-code-strings", lambda draft: draft.person.family.upper()[:16], "CS")
_texts("patient-id-in-texts", lambda draft: draft.person.mrn, "LO", "SH", "ST", "LT", "UT", "UC")
_texts("phone-in-texts", lambda draft: draft.person.phone, "LO", "ST", "LT", "UT", "UC")
_texts("mail-in-texts", lambda draft: draft.person.mail, "LO", "ST", "LT", "UT", "UC")
_texts("date-in-texts", lambda draft: f"{draft.person.examined:%Y%m%d}", "LO", "ST", "LT", "UT", "UC", "SH")
_texts("birth-date-in-dates", lambda draft: f"{draft.person.born:%Y%m%d}", "DA", "DT")
_texts("study-date-in-dates", lambda draft: f"{draft.person.examined:%Y%m%d}", "DA", "DT")
_texts("name-in-application-entities", lambda draft: draft.person.family.upper()[:16], "AE")
_texts("locators", lambda draft: draft.person.url, "UR")


@EVERYWHERE.case("uids")
def _(draft: Draft) -> None:
    ds = draft.image()
    for tag, _ in attributes("UI"):
        raw(ds, tag, "UI", draft.uid().encode())


@EVERYWHERE.case("items")
def _(draft: Draft) -> None:
    """An item with names, comments and references in every sequence."""
    ds, p = draft.image("CT_small.dcm"), draft.person
    for tag, _ in attributes("SQ"):
        item = Dataset()
        item.CodeMeaning = f"of {p.family}"
        item.PersonName = p.pn
        item.TextValue = f"seen by {p.operator[0]}"
        item.ReferencedSOPInstanceUID = draft.uid()
        item.UID = draft.uid()
        item.DateTime = f"{p.examined:%Y%m%d}101010"
        item.Date = f"{p.born:%Y%m%d}"
        item.PatientID = p.mrn
        item.InstitutionName = p.hospital
        item.add_new(0x00091010, "LO", p.given)
        ds.add_new(tag, "SQ", Sequence([item]))
    draft.drop(lambda c: c.action == "text_retained" and len(c.path) > 1)
    draft.refusal = "allowed"
