"""Identity as people really write it, and in places that nobody looks at."""

from __future__ import annotations

import struct
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
from leak_corpus.catalogue import Catalogue
from leak_corpus.draft import DESCRIPTORS, MODIFIED_DATES, raw
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.sequence import Sequence

if TYPE_CHECKING:
    from collections.abc import Callable

    from leak_corpus.draft import Draft

HARD = Catalogue("hard")


def _named(name: str, pn: str, text: str, *gone: str, charset: str = "ISO_IR 192") -> None:
    """A patient of a difficult name, and a text that says it in another way."""

    def plant(draft: Draft) -> None:
        ds = draft.image()
        ds.SpecificCharacterSet = charset
        ds.PatientName = pn
        draft.describe(ds, "PatientComments", text)
        draft.gone(ds, ("PatientComments",), *gone)

    HARD.add(f"name-{name}", plant)


for label, pn, text, *gone in (
    ("umlaut-spelled-out", "Müllerschön^Jürgen", "{words} Juergen Muellerschoen", "Muellerschoen", "Juergen"),
    ("umlaut-dropped", "Grünwälder^Käthe", "{words} Grunwalder, Kathe", "Grunwalder", "Kathe"),
    ("umlaut-added", "Goetzelmann^Joerg", "{words} Jörg Götzelmann", "Götzelmann", "Jörg"),
    ("accents-dropped", "Lefèvre^Hélène", "{words} Helene LEFEVRE", "LEFEVRE", "Helene"),
    ("half-of-a-double-name", "Castellan-Orlowska^Ines", "{words} Fr. Orlowska", "Orlowska"),
    ("apostrophe-dropped", "O'Shaughnessy^Maeve", "{words} OSHAUGHNESSY", "OSHAUGHNESSY"),
    ("particle", "van der Meulen^Pieter", "{words} v.d. Meulen", "Meulen"),
    ("short", "Ng^Bo", "{words} pt. Bo Ng", "Bo Ng"),
    ("of-medical-words", "Young^Rose", "{words} Rose Young", "Rose Young"),
    ("of-medical-words-with-comma", "Short^Head", "{words} Short, Head", "Short, Head"),
    ("with-digits-behind", "Tamberlane^Odette", "{words} tamberlane2 ODETTE_01", "tamberlane2", "ODETTE_01"),
    ("camel-case", "Tamberlane^Odette", "{words} OdetteTamberlane", "OdetteTamberlane"),
    ("with-suffix", "Ellsworth^Byron^^Mr.^Jr.", "{words} B. Ellsworth Jr.", "Ellsworth"),
    ("genitive", "Brandstätter^Ulrike", "{words} Brandstätters Befund", "Brandstätters"),
):
    _named(label, pn, text, *gone)


def _written(name: str, text: str, *marked: str) -> None:
    """A text with something that stands nowhere else; format strings over person and an unknown date."""

    def plant(draft: Draft) -> None:
        ds, p = draft.image("CT_small.dcm"), draft.person
        day = p.examined - timedelta(days=draft.rng.randrange(40, 5000))
        values = {
            "p": p, "day": day, "d": day.day, "m": day.month, "y": day.year, "yy": f"{day:%y}",
            "german": _GERMAN[day.month - 1], "french": _FRENCH[day.month - 1],
            "spanish": _SPANISH[day.month - 1], "n": p.number,
        }  # fmt: skip
        ds.SpecificCharacterSet = "ISO_IR 192"
        secrets = [part.format(**values) for part in marked]
        draft.describe(ds, "ImageComments", text.replace("{words}", "{{words}}").format(**values))
        draft.gone(ds, ("ImageComments",), *secrets)

    HARD.add(name, plant)


_GERMAN = ("Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober",
           "November", "Dezember")  # fmt: skip
_FRENCH = ("janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre",
           "novembre", "décembre")  # fmt: skip
_SPANISH = ("enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre",
            "octubre", "noviembre", "diciembre")  # fmt: skip

for label, text, *marked in (
    ("date-german", "{words} geb. {d}. {german} {y}", "{d}. {german} {y}"),
    ("date-french", "{words} du {d} {french} {y}", "{d} {french} {y}"),
    ("date-spanish", "{words} el {d} de {spanish} de {y}", "{d} de {spanish} de {y}"),
    ("date-japanese", "{words} {y}年{m}月{d}日", "{y}年{m}月{d}日"),
    ("date-without-zeros", "{words} {y}-{m}-{d}", "{y}-{m}-{d}"),
    ("date-short-us", "{words} on {m}/{d}/{yy}", "{m}/{d}/{yy}"),
    ("date-short-dots", "{words} vom {d}.{m}.{yy}", "{d}.{m}.{yy}"),
    ("date-ordinal", "{words} {day:%B} 21st, {y}", "{day:%B} 21st, {y}"),
    ("date-day-and-month", "{words} seen {d} {day:%B}", "{d} {day:%B}"),
    ("date-with-weekday", "{words} {day:%A}, {day:%d %b %Y}", "{day:%d %b %Y}"),
    ("date-with-underscores", "{words} {day:%Y_%m_%d}", "{day:%Y_%m_%d}"),
    ("date-joined-to-words", "{words} followup{day:%Y%m%d}", "{day:%Y%m%d}"),
    ("date-with-time-joined", "{words} {day:%Y%m%d}_093011", "{day:%Y%m%d}"),
    ("phone-german", "{words} Tel. 0711 / {n}", "{n}"),
    ("phone-extension", "{words} call x{p.house}5", "x{p.house}5"),
    ("phone-pager", "{words} pager {p.house}12", "{p.house}12"),
    ("fax", "{words} Fax: {p.phone}", "{p.phone}"),
    ("phone-uri", "{words} tel:+49711{n}", "{n}"),
    ("web-without-scheme", "{words} www.{p.issuer}.org", "{p.issuer}"),
    ("ip-address", "{words} from 10.31.{d}.7", "10.31.{d}.7"),
    ("medical-record-no", "{words} Med. Rec. No. {n}", "{n}"),
    ("case-number-german", "{words} Fallnr. {n}", "{n}"),
    ("account-number", "{words} Acct# {n}", "{n}"),
    ("policy-number", "{words} Policy No. AB{n}", "AB{n}"),
    ("nhs-number", "{words} NHS 943 476 5919", "943 476 5919"),
    ("patient-id-with-spaces", "{words} pat id: {n}", "{n}"),
    ("age-in-words", "{words} ninety-four-year-old man", "ninety-four"),
    ("age-german", "{words} 94-jährige Patientin", "94"),
    ("age-of-years", "{words} at the age of 96", "96"),
    ("title-german", "{words} Zuweiser: Dr. med. {p.root}Q Wackernagel", "Wackernagel"),
    ("signed-by", "{words} electronically signed by Theophila Wackernagel MD", "Wackernagel", "Theophila"),
    ("salutation", "Dear Mr. Wackernagel, {words}", "Wackernagel"),
    ("frau", "{words} Frau Wackernagel", "Wackernagel"),
    ("po-box", "{words} P.O. Box {p.house}, Hinterfelden {p.postcode}", "{p.postcode}"),
    ("postcode-german", "{words} Hauptstraße 12, 70{p.house} Hinterfelden", "Hauptstraße 12", "Hinterfelden"),
):
    _written(label, text.replace("{p.root}Q ", ""), *marked)


#: Attributes that stay and can hold any text.
KEPT = {
    "BodyPartExamined": "{p.family}",
    "WindowCenterWidthExplanation": "for {p.family}",
    "SequenceName": "{p.given}",
    "ScanOptions": "{p.family}",
    "ManufacturerModelName": "Skyview {p.physician[0]}",
    "SoftwareVersions": "VE11 {p.operator[0]}",
    "FilterType": "{p.family}",
    "AngioFlag": "{p.mrn}",
    "PositionReferenceIndicator": "{p.given}",
    "LossyImageCompressionMethod": "{p.family}",
    "PixelSpacingCalibrationDescription": "by {p.operator[0]} in {p.town}",
}


def _kept(keyword: str, template: str) -> Callable[[Draft], None]:
    def plant(draft: Draft) -> None:
        ds, p = draft.image(), draft.person
        text = template.format(p=p)
        if keyword in ("BodyPartExamined", "ScanOptions", "LossyImageCompressionMethod"):
            text = text.upper()
        draft.drop(lambda check: check.path == (keyword,))
        setattr(ds, keyword, text[:64])

    return plant


for keyword, holds in KEPT.items():
    HARD.add(f"kept-{keyword}", _kept(keyword, holds))


@HARD.case("image-type-value")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    ds.ImageType = [*ds.ImageType, p.family.upper()[:16]]


@HARD.case("look-up-table-texts")
def _(draft: Draft) -> None:
    ds, p = draft.image("CT_small.dcm"), draft.person
    ds.VOILUTSequence = draft.items(
        LUTDescriptor=[16, 0, 16], LUTExplanation=f"brain {p.family}", LUTData=bytes(32)
    )
    ds.VOILUTSequence[0]["LUTData"].VR = "OW"


@HARD.case("colour-profile")
def _(draft: Draft) -> None:
    ds, p = draft.image("SC_rgb_jpeg_dcmtk.dcm"), draft.person
    ds.BurnedInAnnotation = "NO"
    ds.ICCProfile = b"\0\0\2\x0cADBE" + f"desc Monitor of {p.family}".encode().ljust(512, b"\0")
    draft.refusal = "allowed"


@HARD.case("palette-data")
def _(draft: Draft) -> None:
    ds, p = draft.image("examples_palette.dcm"), draft.person
    ds.BurnedInAnnotation = "NO"
    name = f"{p.family} {p.given} "[:24].encode().ljust(24)
    data = bytearray(ds.RedPaletteColorLookupTableData)
    data += b"" if len(data) % 2 == 0 else b"\0"
    ds.RedPaletteColorLookupTableData = bytes(data) + name  # behind what the descriptor counts
    draft.refusal = "allowed"


@HARD.case("offset-table")
def _(draft: Draft) -> None:
    ds = draft.image("MR_small_jp2klossless.dcm")
    (frame,) = generate_frames(ds.PixelData, number_of_frames=1)
    table = draft.secret("QXOFFSETTABLEXQ0", "Basic Offset Table").encode()

    def item(data: bytes) -> bytes:
        data += b"\0" * (len(data) % 2)
        return b"\xfe\xff\x00\xe0" + struct.pack("<I", len(data)) + data

    ds.PixelData = item(table) + item(frame)
    ds["PixelData"].is_undefined_length = True
    draft.drop(lambda check: check.action == "pixels_retained")
    draft.refusal = "allowed"


@HARD.case("fragment-behind-the-last-frame")
def _(draft: Draft) -> None:
    ds = draft.image("MR_small_RLE.dcm")
    extra = draft.secret("QXEXTRAFRAGMENTXQ0", "fragment behind the frames").encode()
    ds.PixelData += b"\xfe\xff\x00\xe0" + struct.pack("<I", len(extra)) + extra
    ds["PixelData"].is_undefined_length = True
    draft.refusal = "allowed"


@HARD.case("sign-extension-bits")
def _(draft: Draft) -> None:
    ds = draft.image("MR_small.dcm")
    ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 12, 11, 0
    words = np.frombuffer(ds.PixelData, "<u2").copy() & 0x0FFF
    text = draft.secret("QXTWELVEBITSXQ of a 12 bit image", "unused bits").encode()
    nibbles = [nibble for byte in text for nibble in (byte >> 4, byte & 15)]
    words[: len(nibbles)] |= np.array(nibbles, "<u2") << 12
    ds.PixelData = words.tobytes()


@HARD.case("contributing-equipment")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    ds.ContributingEquipmentSequence = draft.items(
        PurposeOfReferenceCodeSequence=draft.items(
            CodeValue="109101", CodingSchemeDesignator="DCM", CodeMeaning="Acquisition Equipment"
        ),
        Manufacturer="Test Works",
        InstitutionName=p.hospital,
        InstitutionAddress=p.address,
        OperatorsName="^".join(p.operator),
        ContributionDescription=f"sent by {p.operator[0]}",
        ContributionDateTime=f"{p.examined:%Y%m%d}101010",
    )
    draft.keep(ds, ("ContributingEquipmentSequence", 0, "Manufacturer"), "Test Works", needs=DESCRIPTORS)


@HARD.case("coding-schemes")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    ds.CodingSchemeIdentificationSequence = draft.items(
        CodingSchemeDesignator="99LOCAL",
        CodingSchemeName=f"Codes of {p.hospital}",
        CodingSchemeResponsibleOrganization=p.hospital,
        CodingSchemeUID=f"{p.root}.55",
    )


@HARD.case("retrieve-locators")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    item = draft.items(ReferencedSOPClassUID=ds.SOPClassUID, ReferencedSOPInstanceUID=draft.uid())
    item[0].RetrieveURL = p.url
    item[0].RetrieveURI = p.url
    ds.ReferencedImageSequence = item
    ds.RetrieveURL = p.url


@HARD.case("frames-of-an-enhanced-image")
def _(draft: Draft) -> None:
    ds, p = draft.image("emri_small.dcm"), draft.person
    content = Dataset()
    content.FrameAcquisitionDateTime = f"{p.examined:%Y%m%d}101533.123"
    content.FrameReferenceDateTime = f"{p.examined:%Y%m%d}101533.123"
    content.FrameComments = f"{p.family} moved"
    content.FrameLabel = f"of {p.given}"
    content.FrameAcquisitionNumber = 1
    frames = [Dataset() for _ in range(int(ds.NumberOfFrames))]
    frames[0].FrameContentSequence = Sequence([content])
    ds.PerFrameFunctionalGroupsSequence = Sequence(frames)
    path = ("PerFrameFunctionalGroupsSequence", 0, "FrameContentSequence", 0)
    for keyword in ("FrameAcquisitionDateTime", "FrameReferenceDateTime"):
        draft.date(ds, (*path, keyword), content[keyword].value)
    draft.keep(ds, (*path, "FrameComments"), "moved", needs=DESCRIPTORS)
    draft.check("tag_retained", ds, (*path, "FrameAcquisitionNumber"))


@HARD.case("dates-with-time-and-zone")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    value = f"{p.examined:%Y%m%d}101533.000000+0100"
    ds.AcquisitionDateTime = value
    draft.check("date_shifted", ds, ("AcquisitionDateTime",), value, MODIFIED_DATES)


@HARD.case("dates-of-the-old-form")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    written = f"{p.examined:%Y.%m.%d}"
    raw(ds, 0x00080021, "DA", written.encode())
    draft.drop(lambda check: check.path == ("SeriesDate",))
    draft.secret(written, "SeriesDate of ACR-NEMA's form")


@HARD.case("date-range-in-a-date")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    raw(ds, 0x00080022, "DA", f"{p.examined:%Y%m%d}-{p.examined:%Y%m%d}".encode())
    draft.drop(lambda check: check.path == ("AcquisitionDate",))


@HARD.case("text-in-dates-and-times")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    raw(ds, 0x00080021, "DA", p.family.encode())
    raw(ds, 0x00080031, "TM", p.given.encode())
    raw(ds, 0x0008002A, "DT", f"{p.family}^{p.given}".encode())
    raw(ds, 0x00101010, "AS", b"Otto")
    draft.gone(ds, ("PatientAge",), "Otto")
    draft.drop(
        lambda check: (
            check.path in (("SeriesDate",), ("SeriesTime",))
            or (check.path == ("PatientAge",) and check.action != "text_removed")
        )
    )


@HARD.case("text-in-numbers-and-uids")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    raw(ds, 0x00180080, "DS", p.family.encode())
    raw(ds, 0x00180083, "DS", p.mrn.encode())
    raw(ds, 0x00200012, "IS", p.given.encode())
    raw(ds, 0x00081150, "UI", p.family.encode())
    ds.FrameOfReferenceUID = f"{p.family}.1.2"
    draft.drop(lambda check: check.path in (("RepetitionTime",), ("FrameOfReferenceUID",)))
    draft.refusal = "allowed"


@HARD.case("birth-date-as-a-number")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    ds.AcquisitionNumber = int(f"{p.born:%Y%m%d}")
    draft.refusal = "allowed"


@HARD.case("two-studies-of-one-patient")
def _(draft: Draft) -> None:
    draft.image()
    later = replace(draft.person, examined=draft.person.examined + timedelta(days=93), accession="ACC7700112")
    second = draft.image("CT_small.dcm", later)
    draft.drop(lambda c: c.instance == 1 and c.path == ("StudyInstanceUID",))
    second.StudyInstanceUID = draft.uid()
    draft.uid_check(second, "StudyInstanceUID")
    draft.secret("ACC7700112", "accession of the second study")
    draft.secret(f"{later.examined:%Y%m%d}", "date of the second study")


@HARD.case("one-id-with-and-without-spaces")
def _(draft: Draft) -> None:
    draft.image()
    second = draft.image("CT_small.dcm")
    second.PatientID = f" {draft.person.mrn} "


@HARD.case("structured-html")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    draft.describe(ds, "PatientComments", f"<html><b>{p.family}</b>,&nbsp;<i>{p.given}</i> {{words}}</html>")


@HARD.case("windows-path")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    draft.describe(ds, "ImageComments", f"\\\\{p.issuer.lower()}\\export\\{p.family.lower()} {{words}}")


@HARD.case("json-in-a-comment")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    text = f'{{"patient":"{p.given} {p.family}","mrn":"{p.mrn}","dob":"{p.born:%Y-%m-%d}"}}'
    draft.secret(f"{p.born:%Y-%m-%d}", "JSON in a comment")
    draft.describe(ds, "ImageComments", "{words}")
    ds.ImageComments += " " + text
