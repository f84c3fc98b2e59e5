"""Identity in the content of structured reports.

References
----------
PS3.15 §E.3.4 and Table E.3.4-1 (Clean Structured Content).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from leak_corpus.catalogue import Catalogue
from leak_corpus.draft import STRUCTURED, Draft, real
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import BasicTextSRStorage, ComprehensiveSRStorage

if TYPE_CHECKING:
    from pydicom.uid import UID

STRUCTURES = Catalogue("structured")


def code(value: str, scheme: str, meaning: str) -> Sequence:
    """A code sequence of one item."""
    return Draft.items(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def content(kind: str, name: tuple[str, str, str], relation: str = "CONTAINS", **values: Any) -> Dataset:
    """A content item."""
    item = Dataset()
    item.RelationshipType = relation
    item.ValueType = kind
    item.ConceptNameCodeSequence = code(*name)
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


FINDING = ("121071", "DCM", "Finding")
HISTORY = ("121060", "DCM", "History")
PERSON = ("121008", "DCM", "Person Observer Name")
LENGTH = ("410668003", "SCT", "Length")


def report(draft: Draft, sop_class: UID, *items: Dataset) -> Dataset:
    """A structured report with content items under its root."""
    ds = draft.made(sop_class, "SR")
    ds.ValueType, ds.ContinuityOfContent = "CONTAINER", "SEPARATE"
    ds.ConceptNameCodeSequence = code("126000", "DCM", "Imaging Measurement Report")
    ds.CompletionFlag, ds.VerificationFlag = "COMPLETE", "UNVERIFIED"
    ds.PerformedProcedureCodeSequence = Sequence()
    ds.ReferencedPerformedProcedureStepSequence = Sequence()
    ds.SeriesNumber, ds.InstanceNumber = 7, 1
    ds.ContentSequence = Sequence(items)
    draft.keep(ds, ("ConceptNameCodeSequence", 0, "CodeValue"), "126000")
    draft.check("tag_retained", ds, ("ContentSequence", 0))
    return ds


def measurement() -> Dataset:
    """A length of 23.5 mm."""
    value = Draft.items(NumericValue="23.5", MeasurementUnitsCodeSequence=code("mm", "UCUM", "mm"))
    return content("NUM", LENGTH, MeasuredValueSequence=value)


@STRUCTURES.case("sr-text")
def _(draft: Draft) -> None:
    p, words = draft.person, draft.phrase()
    text = content("TEXT", FINDING, TextValue=f"{words}: {p.given} {p.family} has a nodule in segment VII")
    ds = report(draft, BasicTextSRStorage, text)
    draft.keep(ds, ("ContentSequence",), *words.split(), "nodule", "segment VII", needs=STRUCTURED)
    draft.keep(ds, ("ContentSequence",), "Finding", "121071", needs=STRUCTURED)


@STRUCTURES.case("sr-long-report")
def _(draft: Draft) -> None:
    p = draft.person
    text = (
        f"Dear Dr. {p.physician[0]},\r\nMrs. {p.family} (born {p.born:%d.%m.%Y}, MRN {p.mrn}) of {p.address}"
        f" was seen on {p.examined:%d %B %Y}. There is no acute haemorrhage. The ventricles are of normal"
        f" size. Questions to {p.phone} or {p.mail}.\r\nSigned {p.reader[1]} {p.reader[0]}"
    )
    for secret in (f"{p.born:%d.%m.%Y}", f"{p.examined:%d %B %Y}"):
        draft.secret(secret, "report text")
    ds = report(draft, BasicTextSRStorage, content("TEXT", FINDING, TextValue=text))
    kept = ("no acute haemorrhage", "ventricles are of normal", "size")
    draft.keep(ds, ("ContentSequence",), *kept, needs=STRUCTURED)


@STRUCTURES.case("sr-person-names")
def _(draft: Draft) -> None:
    p = draft.person
    ds = report(
        draft,
        ComprehensiveSRStorage,
        content("PNAME", PERSON, "HAS OBS CONTEXT", PersonName="^".join(p.reader)),
        content("TEXT", FINDING, TextValue=f"Seen by {p.reader[0]}: stable"),
        measurement(),
    )
    draft.keep(ds, ("ContentSequence",), "stable", "23.5", "410668003", needs=STRUCTURED)


@STRUCTURES.case("sr-dates")
def _(draft: Draft) -> None:
    p = draft.person
    draft.secret(f"{p.born:%Y%m%d}", "DATE item")
    ds = report(
        draft,
        ComprehensiveSRStorage,
        content("DATE", ("121031", "DCM", "Subject Birth Date"), Date=f"{p.born:%Y%m%d}"),
        content("DATETIME", ("111526", "DCM", "DateTime Started"), DateTime=f"{p.examined:%Y%m%d}101500"),
        content("TIME", ("111060", "DCM", "Study Time"), Time="101500"),
        measurement(),
    )
    draft.keep(ds, ("ContentSequence",), "23.5", needs=STRUCTURED)


@STRUCTURES.case("sr-uidref")
def _(draft: Draft) -> None:
    name = ("121018", "DCM", "Procedure Study Instance UID")
    ds = report(draft, ComprehensiveSRStorage, content("UIDREF", name, UID=draft.uid()), measurement())
    draft.keep(ds, ("ContentSequence",), "23.5", "mm", needs=STRUCTURED)


@STRUCTURES.case("sr-code-meaning")
def _(draft: Draft) -> None:
    p = draft.person
    local = content("CODE", FINDING, ConceptCodeSequence=code("L17", "99LOCAL", f"Nodule of {p.family}"))
    named = content("TEXT", ("L18", "99LOCAL", f"Notes on {p.given}"), TextValue="stable disease")
    known = content("CODE", FINDING, ConceptCodeSequence=code("27925004", "SCT", "Nodule"))
    ds = report(draft, ComprehensiveSRStorage, local, named, known)
    draft.keep(ds, ("ContentSequence",), "stable disease", "27925004", needs=STRUCTURED)


@STRUCTURES.case("sr-numbers-stay")
def _(draft: Draft) -> None:
    ds = report(draft, ComprehensiveSRStorage, measurement(), measurement())
    draft.keep(ds, ("ContentSequence",), "23.5", "mm", "UCUM", "Length", needs=STRUCTURED)
    draft.keep(ds, ("ContentSequence", 1), "NUM", needs=STRUCTURED)


@STRUCTURES.case("sr-subject-context")
def _(draft: Draft) -> None:
    p = draft.person
    context = "HAS OBS CONTEXT"
    ds = report(
        draft,
        ComprehensiveSRStorage,
        content("PNAME", ("121029", "DCM", "Subject Name"), context, PersonName=p.pn),
        content("TEXT", ("121030", "DCM", "Subject ID"), context, TextValue=p.mrn),
        content(
            "TEXT", ("121009", "DCM", "Person Observer's Organization Name"), context, TextValue=p.hospital
        ),
        content("TEXT", ("121013", "DCM", "Device Observer Name"), context, TextValue="Sunflower Box 9"),
        measurement(),
    )
    draft.keep(ds, ("ContentSequence",), "23.5", needs=STRUCTURED)


@STRUCTURES.case("sr-nested-deep")
def _(draft: Draft) -> None:
    p = draft.person
    inner = content("TEXT", FINDING, TextValue=f"calcification, see {p.accession} of {p.family}")
    for depth in range(7):
        box = content("CONTAINER", ("121070", "DCM", "Findings"), ContinuityOfContent="SEPARATE")
        box.ContentSequence = Sequence([inner, measurement()] if depth == 3 else [inner])
        inner = box
    ds = report(draft, ComprehensiveSRStorage, inner)
    draft.keep(ds, ("ContentSequence",), "calcification", "23.5", needs=STRUCTURED)


@STRUCTURES.case("sr-verifying-observer-and-evidence")
def _(draft: Draft) -> None:
    p = draft.person
    image = draft.image()
    ds = report(draft, ComprehensiveSRStorage, measurement())
    ds.VerificationFlag = "VERIFIED"
    ds.VerifyingObserverSequence = draft.items(
        VerifyingObserverName="^".join(p.reader),
        VerifyingOrganization=p.hospital,
        VerificationDateTime=f"{p.examined:%Y%m%d}120000",
        VerifyingObserverIdentificationCodeSequence=code(p.other_id, "99L", " ".join(p.reader)),
    )
    ds.AuthorObserverSequence = draft.items(
        ObserverType="PSN", PersonName="^".join(p.reader), InstitutionName=p.hospital
    )
    reference = draft.items(
        ReferencedSOPClassUID=image.SOPClassUID, ReferencedSOPInstanceUID=image.SOPInstanceUID
    )
    series = draft.items(SeriesInstanceUID=image.SeriesInstanceUID, ReferencedSOPSequence=reference)
    ds.CurrentRequestedProcedureEvidenceSequence = draft.items(
        StudyInstanceUID=image.StudyInstanceUID, ReferencedSeriesSequence=series
    )
    path = ("CurrentRequestedProcedureEvidenceSequence", 0, "ReferencedSeriesSequence", 0)
    draft.uid_check(ds, *path, "SeriesInstanceUID")
    draft.uid_check(ds, *path, "ReferencedSOPSequence", 0, "ReferencedSOPInstanceUID")


@STRUCTURES.case("sr-text-of-real-report")
def _(draft: Draft) -> None:
    ds = real("reportsi.dcm")
    draft.adopt(ds, draft.person)
    ds.ContentSequence.append(
        content("TEXT", FINDING, TextValue=f"follow-up of {draft.person.family}, unchanged")
    )
    draft.keep(ds, ("ContentSequence",), "follow-up", "unchanged", needs=STRUCTURED)


@STRUCTURES.case("acquisition-context")
def _(draft: Draft) -> None:
    ds, p = draft.image("CT_small.dcm"), draft.person
    ds.AcquisitionContextSequence = Sequence(
        [content("TEXT", ("L1", "99LOCAL", "Remark"), TextValue=f"{p.family} moved during the scan")]
    )
    del ds.AcquisitionContextSequence[0].RelationshipType
    draft.refusal = "never"
