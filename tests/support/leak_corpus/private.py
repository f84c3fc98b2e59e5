"""Identity in private attributes, UN values, unknown tags, wrong VRs and nested items.

References
----------
PS3.15 §E.3.10 (Retain Safe Private Option); PS3.5 §6.2.2 (UN), §7.8 (private blocks).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from leak_corpus.catalogue import Catalogue
from leak_corpus.draft import SAFE_PRIVATE, unknown
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

if TYPE_CHECKING:
    from collections.abc import Callable

    from leak_corpus.draft import Draft

PRIVATE = Catalogue("private")
NESTED = Catalogue("nested")

#: Safe by PS3.15 Table E.3.10-1, with values that are safe as well.
SAFE = (
    ("SIEMENS MR HEADER", 0x0019, 0x0C, "IS", "1000"),
    ("SIEMENS MR HEADER", 0x0019, 0x0D, "CS", "DIRECTIONAL"),
    ("GEMS_ACQU_01", 0x0019, 0x23, "DS", "2.5"),
    ("GEMS_ACQU_01", 0x0019, 0x9E, "LO", "efgre3d"),
    ("GEMS_PARM_01", 0x0043, 0x27, "SH", "1.375:1"),
    ("Philips Imaging DD 001", 0x2001, 0x03, "FL", 1000.0),
    ("Philips Imaging DD 001", 0x2001, 0x04, "CS", "DIRECTIONAL"),
    ("Philips PET Private Group", 0x7053, 0x00, "DS", "0.000551"),
    ("Philips PET Private Group", 0x7053, 0x09, "DS", "3.1415"),
)


@PRIVATE.case("unsafe-creator")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    block = ds.private_block(0x0029, "ACME PACS 1.0", create=True)
    block.add_new(0x10, "LO", f"{p.given} {p.family}")
    block.add_new(0x11, "LO", draft.secret("Blutgruppe AB negativ", "private value"))


@PRIVATE.case("unsafe-creator-in-a-group-with-a-safe-one")
def _(draft: Draft) -> None:
    ds = draft.image()
    ds.private_block(0x0019, "SIEMENS MR HEADER", create=True).add_new(0x0C, "IS", "800")
    ds.private_block(0x0019, "ACME NOTES", create=True).add_new(
        0x0C, "LO", draft.secret("Zimmernachbar laut", "private value")
    )
    draft.keep(ds, ((0x0019, "SIEMENS MR HEADER", 0x0C),), "800", needs=SAFE_PRIVATE)


def _safe(number: int) -> Callable[[Draft], None]:
    def plant(draft: Draft) -> None:
        creator, group, offset, vr, value = SAFE[number]
        ds = draft.image("MR_small.dcm")
        ds.private_block(group, creator, create=True).add_new(offset, vr, value)
        draft.keep(ds, ((group, creator, offset),), str(value), needs=SAFE_PRIVATE)

    return plant


for position, row in enumerate(SAFE):
    PRIVATE.add(f"safe-{row[0].lower().replace(' ', '-')}-{position}", _safe(position))


@PRIVATE.case("safe-creator-with-a-name-inside")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    ds.private_block(0x0019, "GEMS_ACQU_01", create=True).add_new(0x9E, "LO", f"efgre3d {p.family}")
    ds.private_block(0x0043, "GEMS_PARM_01", create=True).add_new(0x27, "SH", p.mrn)


@PRIVATE.case("safe-creator-with-a-phone-number-inside")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    ds.private_block(0x0043, "GEMS_PARM_01", create=True).add_new(0x27, "SH", p.phone)


@PRIVATE.case("safe-creator-with-a-date-inside")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    ds.private_block(0x0019, "GEMS_ACQU_01", create=True).add_new(0x9E, "LO", f"{p.born:%Y-%m-%d}")
    draft.secret(f"{p.born:%Y-%m-%d}", "safe private value")


@PRIVATE.case("safe-element-with-another-vr")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    ds.private_block(0x0019, "SIEMENS MR HEADER", create=True).add_new(0x0C, "LO", f"b1000 {p.given}")
    ds.private_block(0x2001, "Philips Imaging DD 001", create=True).add_new(
        0x03, "OB", draft.secret("Hausarzt Nebenan", "private OB").encode()
    )


@PRIVATE.case("safe-element-of-another-creator")
def _(draft: Draft) -> None:
    ds = draft.image()
    block = ds.private_block(0x0019, "SIEMENS MR HEADER 2", create=True)
    block.add_new(0x0D, "CS", draft.secret("VERWANDT MIT CHEF", "private CS"))


@PRIVATE.case("creator-is-a-name")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    ds.private_block(0x0031, f"{p.family} {p.given}", create=True).add_new(0x01, "SH", "1")


@PRIVATE.case("without-creator")
def _(draft: Draft) -> None:
    ds = draft.image()
    ds.add_new(0x00291010, "LO", draft.secret("Nachtschwester Hildegard", "private without creator"))
    unknown(ds, 0x0029FF10, draft.secret("Pfleger Eberhardt", "private UN without creator").encode())


@PRIVATE.case("sequence")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    item = Dataset()
    item.PatientName = p.pn
    item.PatientComments = draft.secret("Raucher seit Jugend", "private sequence")
    inner = Dataset()
    inner.add_new(0x00111001, "LO", draft.secret("Grossmutter wohnt nebenan", "private in private sequence"))
    item.OtherPatientIDsSequence = Sequence([inner])
    ds.private_block(0x0009, "GEMS_IDEN_01", create=True).add_new(0x50, "SQ", Sequence([item]))


@PRIVATE.case("in-an-item-of-a-standard-sequence")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    item = draft.items(ReferencedSOPClassUID=ds.SOPClassUID, ReferencedSOPInstanceUID=draft.uid())
    item[0].add_new(0x00110010, "LO", "ACME NOTES")
    item[0].add_new(0x00111001, "LO", f"{p.family} Badezimmer")
    draft.secret("Badezimmer", "private in an item")
    ds.ReferencedImageSequence = item
    draft.uid_check(ds, "ReferencedImageSequence", 0, "ReferencedSOPInstanceUID", optional=True)


@PRIVATE.case("csa-header")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    header = b"SV10\x04\x03\x02\x01" + f"PatientName\0{p.family}^{p.given}\0tMatrix".encode().ljust(
        400, b"\0"
    )
    block = ds.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
    block.add_new(0x10, "OB", header)
    block.add_new(0x20, "OB", header)


@PRIVATE.case("un-value-of-a-known-attribute")
def _(draft: Draft) -> None:
    ds, p = draft.image("CT_small.dcm"), draft.person
    unknown(ds, 0x00104000, f"{p.family} T1".encode())
    unknown(
        ds,
        0x00081010,
        draft.secret("Geheimstation9", "UN StationName", ["retain-device-identity"]).encode(),
    )
    draft.drop(lambda check: check.path == ("StationName",))


@PRIVATE.case("un-sequence")
def _(draft: Draft) -> None:
    ds, p = draft.image("CT_small.dcm"), draft.person
    name = p.pn.encode() + b" " * (len(p.pn) % 2)
    item = b"\x10\x00\x10\x00" + len(name).to_bytes(4, "little") + name
    data = b"\xfe\xff\x00\xe0" + len(item).to_bytes(4, "little") + item
    unknown(ds, 0x00101002, data)
    unknown(ds, 0x00081199, data)


@PRIVATE.case("unknown-even-group-tags")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    ds.add_new(0x00081FF0, "LO", draft.secret("Zweitmeinung Nachbarort", "unknown tag"))
    ds.add_new(0x0010F0F0, "PN", p.pn)
    unknown(ds, 0x00880999, draft.secret("Dauerparkplatz 12b", "unknown UN tag").encode())
    ds.add_new(0x30FF0010, "UT", f"{p.given} {p.family}")


@PRIVATE.case("attributes-that-the-sop-class-does-not-know")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    ds.BeamName = draft.secret("Lieblingsstrahl Gudrun", "BeamName in an image")
    ds.add_new(0x00741204, "LO", draft.secret("Werkstatt Hinterhof", "ProcedureStepLabel in an image"))
    ds.DocumentTitle = f"Arztbrief {p.family}"
    ds.TextValue = draft.secret("Vermieter informiert", "TextValue in an image")


@PRIVATE.case("known-attributes-with-another-vr")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    for tag, vr, value in (
        (0x00181030, "OB", f"{p.family} T1".encode()),
        (0x00180050, "LO", draft.secret("Schwiegermutter", "SliceThickness as LO")),
        (0x00280010, "LO", draft.secret("Taxischein", "Rows as LO in an item")),
        (0x00180087, "UT", f"{p.given} {p.family}"),
    ):
        if tag == 0x00280010:
            item = Dataset()
            item.add(DataElement(tag, vr, value))
            ds.SourceImageSequence = Sequence([item])
        else:
            ds[tag] = DataElement(tag, vr, value)
    draft.drop(lambda check: check.path in (("SliceThickness",), ("MagneticFieldStrength",)))
    draft.refusal = "allowed"


@PRIVATE.case("group-length-with-text")
def _(draft: Draft) -> None:
    ds = draft.image()
    text = draft.secret("Rufname Puttchen", "group length").encode()
    element = b"\x10\x00\x00\x00UN\0\0" + len(text).to_bytes(4, "little") + text
    patient = b"\x10\x00\x10\x00PN"  # pydicom writes no group lengths
    draft.edit(ds, lambda data: data.replace(patient, element + patient, 1))


@PRIVATE.case("private-tags-in-file-order-of-a-ge-image")
def _(draft: Draft) -> None:
    ds, p = draft.image("CT_small.dcm"), draft.person
    block = ds.private_block(0x0009, "GEMS_IDEN_01", create=True)
    block.add_new(0x02, "SH", p.serial)
    block.add_new(0x30, "SH", p.operator[0])
    draft.secret(p.serial, "GEMS_IDEN_01 suite")


# ---------------------------------------------------------------- nesting


def _deep(depth: int) -> Callable[[Draft], None]:
    chain = (
        "RequestAttributesSequence", "ReferencedStudySequence", "PurposeOfReferenceCodeSequence",
        "DerivationCodeSequence", "RequestedProcedureCodeSequence", "ReferencedImageSequence",
        "SourceImageSequence", "AnatomicRegionSequence",
    )  # fmt: skip

    def plant(draft: Draft) -> None:
        ds, p = draft.image(draft.rng.choice(("MR_small.dcm", "CT_small.dcm"))), draft.person
        item = Dataset()
        item.PatientName = p.pn
        item.AccessionNumber = p.accession
        item.CodeMeaning = f"Brain {p.family}"
        item.InstitutionName = p.hospital
        item.ReferencedSOPInstanceUID = draft.uid()
        item.StudyDate = f"{p.examined:%Y%m%d}"
        item.PatientComments = draft.secret(f"Tiefe {p.middle}", "nested comment")
        item.add_new(0x00091010, "LO", draft.secret("Kellertreppe", "nested private"))
        for keyword in chain[:depth][::-1]:
            outer = Dataset()
            setattr(outer, keyword, Sequence([item]))
            item = outer
        for element in item:
            ds.add(element)

    return plant


for level in range(1, 9):
    NESTED.add(f"depth-{level}", _deep(level))


@NESTED.case("code-meanings")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    ds.AnatomicRegionSequence = draft.items(
        CodeValue="69536005", CodingSchemeDesignator="SCT", CodeMeaning=f"Head of {p.family}"
    )
    ds.ProcedureCodeSequence = draft.items(
        CodeValue="X1", CodingSchemeDesignator="99LOCAL", CodeMeaning=f"MRI for Mrs. {p.family}"
    )
    draft.keep(ds, ("AnatomicRegionSequence", 0, "CodeValue"), "69536005")


@NESTED.case("code-meanings-stay")
def _(draft: Draft) -> None:
    ds = draft.image()
    ds.AnatomicRegionSequence = draft.items(
        CodeValue="69536005", CodingSchemeDesignator="SCT", CodeMeaning="Head"
    )
    draft.keep(ds, ("AnatomicRegionSequence", 0, "CodeMeaning"), "Head")
    draft.keep(ds, ("AnatomicRegionSequence", 0, "CodeValue"), "69536005")


@NESTED.case("original-and-modified-attributes")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    modified = draft.items(PatientName=p.pn, PatientID=p.mrn, PatientBirthDate=f"{p.born:%Y%m%d}")
    ds.OriginalAttributesSequence = draft.items(
        ModifiedAttributesSequence=modified,
        AttributeModificationDateTime=f"{p.examined:%Y%m%d}101010",
        ModifyingSystem=draft.secret("Umzugsserver Sued", "ModifyingSystem", ["retain-device-identity"]),
        SourceOfPreviousValues=draft.secret("Altbestand Kreisklinik", "SourceOfPreviousValues"),
        ReasonForTheAttributeModification="COERCE",
    )


@NESTED.case("signatures-and-mac-parameters")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    certificate = f"CN={p.given} {p.family},O={p.hospital}".encode()
    ds.MACParametersSequence = draft.items(
        MACIDNumber=1, MACCalculationTransferSyntaxUID="1.2.840.10008.1.2.1", MACAlgorithm="SHA256"
    )
    ds.DigitalSignaturesSequence = draft.items(
        MACIDNumber=1,
        DigitalSignatureUID=draft.uid(),
        DigitalSignatureDateTime=f"{p.examined:%Y%m%d}101010",
        CertificateType="X509_1993_SIG",
        CertificateOfSigner=certificate + b" " * (len(certificate) % 2),
        Signature=b"QXSIGNATUREQ",
    )
    draft.secret("QXSIGNATUREQ", "Signature")


@NESTED.case("encrypted-attributes")
def _(draft: Draft) -> None:
    ds = draft.image()
    ds.EncryptedAttributesSequence = draft.items(
        EncryptedContentTransferSyntaxUID="1.2.840.10008.1.2.1",
        EncryptedContent=draft.secret("QXENVELOPEDXQ0", "EncryptedContent").encode(),
    )


@NESTED.case("references-to-instances-of-the-study")
def _(draft: Draft) -> None:
    first, second = draft.image(), draft.image("CT_small.dcm")
    second.ReferencedImageSequence = draft.items(
        ReferencedSOPClassUID=first.SOPClassUID, ReferencedSOPInstanceUID=first.SOPInstanceUID
    )
    second.SourceImageSequence = draft.items(
        ReferencedSOPClassUID=first.SOPClassUID, ReferencedSOPInstanceUID=first.SOPInstanceUID
    )
    for keyword in ("ReferencedImageSequence", "SourceImageSequence"):
        # X/Z/U* of Table E.1-1: where no module demands them, they may go.
        draft.uid_check(second, keyword, 0, "ReferencedSOPInstanceUID", optional=True)


@NESTED.case("irradiation-event-and-other-uids")
def _(draft: Draft) -> None:
    ds = draft.image("CT_small.dcm")
    for keyword in ("IrradiationEventUID", "SynchronizationFrameOfReferenceUID", "InstanceCreatorUID"):
        setattr(ds, keyword, draft.uid())
        draft.uid_check(ds, keyword, optional=True)


def _syntax(name: str, base: str) -> None:
    def plant(draft: Draft) -> None:
        ds, p = draft.image(base), draft.person
        draft.describe(ds, "SeriesDescription", f"{{words}} {p.family}")
        item = Dataset()
        item.PatientName = p.pn
        item.RequestedProcedureDescription = f"Brain {p.given}"
        ds.RequestAttributesSequence = Sequence([item])
        ds.add_new(0x00091010, "LO", draft.secret("Zwischenablage", "private"))

    NESTED.add(name, plant)


for label, base_file in (
    ("implicit-vr", "MR_small_implicit.dcm"),
    ("big-endian", "MR_small_bigendian.dcm"),
    ("rle", "MR_small_RLE.dcm"),
    ("jpeg-2000", "MR_small_jp2klossless.dcm"),
    ("jpeg-ls", "MR_small_jpeg_ls_lossless.dcm"),
    ("enhanced-multi-frame", "emri_small.dcm"),
):
    _syntax(label, base_file)


@NESTED.case("implicit-vr-unknown-tags")
def _(draft: Draft) -> None:
    ds = draft.image("MR_small_implicit.dcm")
    assert ds.file_meta.TransferSyntaxUID == ImplicitVRLittleEndian
    unknown(ds, 0x00081FF0, draft.secret("Ersatzschluessel", "unknown tag in implicit VR").encode())
    ds.add_new(0x00290010, "LO", "ACME")
    unknown(ds, 0x00291001, draft.secret("Klingel defekt", "private in implicit VR").encode())


@NESTED.case("big-endian-numbers")
def _(draft: Draft) -> None:
    ds = draft.image("MR_small_bigendian.dcm")
    assert ds.file_meta.TransferSyntaxUID == ExplicitVRBigEndian
    draft.keep(ds, ("Rows",), str(ds.Rows))
    draft.keep(ds, ("BitsStored",), str(ds.BitsStored))
