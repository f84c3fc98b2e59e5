"""Identity where no attribute is: bytes around the data set, in pixels, in compressed frames, in padding.

References
----------
PS3.10 §7.1 (preamble, File Meta Information); PS3.5 §6.2 (padding), §8 (pixels), Annex A.5 (deflated).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np
from leak_corpus.catalogue import Catalogue
from leak_corpus.draft import DESCRIPTORS, PIXELS, raw, real
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    EncapsulatedCDAStorage,
    EncapsulatedPDFStorage,
    EncapsulatedSTLStorage,
    ExplicitVRLittleEndian,
    MediaStorageDirectoryStorage,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from leak_corpus.draft import Draft
    from pydicom.uid import UID

BESIDE = Catalogue("beside")


@BESIDE.case("preamble")
def _(draft: Draft) -> None:
    ds = draft.image()
    ds.preamble = draft.secret("QXPREAMBLE Nachlass", "preamble").encode().ljust(128, b"\0")


@BESIDE.case("file-meta")
def _(draft: Draft) -> None:
    ds, p = draft.image("CT_small.dcm"), draft.person
    meta = ds.file_meta
    meta.SourceApplicationEntityTitle = draft.secret("QXSOURCEAE", "Source AE title")
    meta.SendingApplicationEntityTitle = draft.secret("QXSENDINGAE", "Sending AE title")
    meta.ReceivingApplicationEntityTitle = draft.secret("QXRECEIVEAE", "Receiving AE title")
    meta.PrivateInformationCreatorUID = f"{p.root}.5"
    meta.PrivateInformation = f"{p.family} {p.given} ".encode()
    meta.ImplementationVersionName = draft.secret("QXVERSION", "implementation version name")


@BESIDE.case("bytes-behind-the-data-set")
def _(draft: Draft) -> None:
    ds = draft.image()
    behind = draft.secret("QXTRAILER Hinterlassenschaft", "behind the data set").encode()
    draft.edit(ds, lambda data: data + behind)
    draft.refusal = "allowed"


@BESIDE.case("trailing-padding")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    ds.add_new(0xFFFCFFFC, "OB", f"{p.family} padding ".encode())


@BESIDE.case("bytes-behind-the-pixels")
def _(draft: Draft) -> None:
    ds = draft.image()
    ds.PixelData += draft.secret("QXSURPLUSPIXELXQ", "behind the last pixel").encode()


@BESIDE.case("bytes-behind-the-pixels-of-a-big-endian-image")
def _(draft: Draft) -> None:
    ds = draft.image("MR_small_bigendian.dcm")
    ds.PixelData += draft.secret("QXSURPLUSPIXELXQ", "behind the last pixel").encode()


def _jpeg(name: str, marker: bytes) -> Callable[[Draft], None]:
    def plant(draft: Draft) -> None:
        ds, p = draft.image("SC_rgb_jpeg_dcmtk.dcm"), draft.person
        ds.BurnedInAnnotation = "NO"
        (frame,) = generate_frames(ds.PixelData, number_of_frames=1)
        body = b"Exif\0\0" if marker == b"\xff\xe1" else b""
        body += f"{p.family} {p.given} {p.born:%Y-%m-%d}".encode()
        segment = marker + struct.pack(">H", len(body) + 2) + body
        draft.secret(f"{p.born:%Y-%m-%d}", name)
        changed = frame[:2] + segment + frame[2:]
        ds.PixelData = encapsulate([changed + b"\0" * (len(changed) % 2)])
        ds["PixelData"].is_undefined_length = True

    return plant


BESIDE.add("jpeg-comment", _jpeg("JPEG COM", b"\xff\xfe"))
BESIDE.add("jpeg-exif", _jpeg("JPEG EXIF", b"\xff\xe1"))
BESIDE.add("jpeg-app13", _jpeg("JPEG APP13", b"\xff\xed"))


@BESIDE.case("jpeg-bytes-behind-the-image")
def _(draft: Draft) -> None:
    ds = draft.image("SC_rgb_jpeg_dcmtk.dcm")
    ds.BurnedInAnnotation = "NO"
    (frame,) = generate_frames(ds.PixelData, number_of_frames=1)
    behind = draft.secret("QXBEHINDEOIXQ", "behind JPEG's end of image").encode()
    data = frame.rstrip(b"\0") + behind
    ds.PixelData = encapsulate([data + b"\0" * (len(data) % 2)])
    ds["PixelData"].is_undefined_length = True
    draft.refusal = "allowed"


@BESIDE.case("jpeg-2000-comment")
def _(draft: Draft) -> None:
    ds, p = draft.image("MR_small_jp2klossless.dcm"), draft.person
    (frame,) = generate_frames(ds.PixelData, number_of_frames=1)
    body = b"\0\1" + f"scan of {p.family}".encode()
    place = frame.index(b"\xff\x90")
    changed = frame[:place] + b"\xff\x64" + struct.pack(">H", len(body) + 2) + body + frame[place:]
    ds.PixelData = encapsulate([changed + b"\0" * (len(changed) % 2)])
    ds["PixelData"].is_undefined_length = True


@BESIDE.case("high-bits")
def _(draft: Draft) -> None:
    ds = draft.image("examples_overlay.dcm")
    for tag in [tag for tag in ds.keys() if tag.group >> 8 == 0x60]:  # noqa: SIM118  # not converted
        del ds[tag]
    text = draft.secret("QXHIGHBITSXQ in the unused bits", "unused high bits").encode()
    assert ds.BitsStored == 12
    words = np.frombuffer(ds.PixelData, "<u2").copy() & 0x0FFF
    nibbles = [nibble for byte in text for nibble in (byte >> 4, byte & 15)]
    words[: len(nibbles)] |= np.array(nibbles, "<u2") << 12
    ds.PixelData = words.tobytes()


@BESIDE.case("overlay-in-pixel-data")
def _(draft: Draft) -> None:
    ds = draft.image("examples_overlay.dcm")
    text = draft.secret("QXOVERLAYBITSXQ", "overlay in the pixels' high bit").encode()
    for tag in [tag for tag in ds.keys() if tag.group >> 8 == 0x60]:  # noqa: SIM118  # not converted
        del ds[tag]
    words = np.frombuffer(ds.PixelData, "<u2").copy() & 0x0FFF
    bits = np.unpackbits(np.frombuffer(text, np.uint8), bitorder="little").astype("<u2")
    words[: bits.size] |= bits << 15
    ds.PixelData = words.tobytes()
    for tag, vr, value in (
        (0x60000010, "US", ds.Rows),
        (0x60000011, "US", ds.Columns),
        (0x60000040, "CS", "G"),
        (0x60000050, "SS", [1, 1]),
        (0x60000100, "US", 16),
        (0x60000102, "US", 15),
    ):
        ds.add_new(tag, vr, value)


@BESIDE.case("overlay")
def _(draft: Draft) -> None:
    ds, p = draft.image("examples_overlay.dcm"), draft.person
    data = bytearray(ds[0x60003000].value)
    text = draft.secret("QXOVERLAYPLANEXQ", "overlay data").encode()
    data[: len(text)] = text
    ds[0x60003000].value = bytes(data)
    ds.add_new(0x60000022, "LO", f"ROI of {p.family}")
    ds.add_new(0x60001500, "LO", p.given)
    ds.add_new(0x60004000, "LT", f"drawn for {p.family}")


@BESIDE.case("curve")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    ds.add_new(0x50000022, "LO", f"pulse of {p.family}")
    ds.add_new(0x50003000, "OW", draft.secret("QXCURVEDATAXQ0", "curve data").encode())
    ds.add_new(0x50002500, "LO", p.given)


@BESIDE.case("icon")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    icon = draft.items(
        SamplesPerPixel=1, PhotometricInterpretation="MONOCHROME2", Rows=8, Columns=8, BitsAllocated=8,
        BitsStored=8, HighBit=7, PixelRepresentation=0,
    )  # fmt: skip
    icon[0].PixelData = draft.secret("QXICONIMAGEXQ", "icon").encode().ljust(64, b"\0")
    icon[0]["PixelData"].VR = "OB"
    ds.IconImageSequence = icon
    ds.private_block(0x0029, "SIEMENS CSA HEADER", create=True).add_new(0x30, "SQ", icon)
    del p


@BESIDE.case("bytes-after-nul")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    for tag, vr, text in (
        (0x0008103E, "LO", f"T1 sag\0{p.family}"),
        (0x00180015, "CS", f"BRAIN\0{p.given.upper()}"),
        (0x00180023, "CS", f"3D\0\0{p.mrn}"),
        (0x00080070, "LO", "Test Works\0" + draft.secret("Altgeraet Keller", "Manufacturer after NUL")),
    ):
        raw(ds, tag, vr, text.encode("latin-1"))
    draft.drop(lambda c: c.path and c.path[0] in ("SeriesDescription", "BodyPartExamined", "Manufacturer"))
    draft.refusal = "allowed"


@BESIDE.case("escape-in-the-middle-of-a-name")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    ds.SpecificCharacterSet = ["", "ISO 2022 IR 100"]
    value = p.family[:4].encode() + b"\x1b(B" + p.family[4:].encode() + b"^" + p.given.encode()
    raw(ds, 0x00100010, "PN", value)
    draft.describe(ds, "ImageComments", f"{{words}} {p.family}")
    draft.drop(lambda c: c.path == ("PatientName",) and c.action == "text_removed")


@BESIDE.case("deflated")
def _(draft: Draft) -> None:
    ds, p = draft.image("image_dfl.dcm"), draft.person
    assert ds.file_meta.TransferSyntaxUID == DeflatedExplicitVRLittleEndian
    ds.BurnedInAnnotation = "NO"
    draft.describe(ds, "SeriesDescription", f"{{words}} {p.family}")
    ds.add_new(0x00091010, "LO", draft.secret("Fundbuero Kammer", "private in deflated"))


def _document(sop_class: UID, modality: str, body: str) -> Callable[[Draft], None]:
    def plant(draft: Draft) -> None:
        p = draft.person
        ds = draft.made(sop_class, modality)
        ds.DocumentTitle = f"Report on {p.family}"
        ds.MIMETypeOfEncapsulatedDocument = "application/octet-stream"
        data = body.format(p=p).encode()
        ds.EncapsulatedDocument = data + b" " * (len(data) % 2)
        draft.refusal = "expected"

    return plant


for label, document_class, kind, holds in (
    ("pdf", EncapsulatedPDFStorage, "DOC", "%PDF-1.4 ({p.given} {p.family}) Tj"),
    ("cda", EncapsulatedCDAStorage, "DOC", "<ClinicalDocument><name>{p.family}</name></ClinicalDocument>"),
    ("stl", EncapsulatedSTLStorage, "M3D", "solid {p.family}"),
):
    BESIDE.add(f"encapsulated-{label}", _document(document_class, kind, holds))


@BESIDE.case("directory")
def _(draft: Draft) -> None:
    p = draft.person
    ds = draft.made(MediaStorageDirectoryStorage, "CT")
    ds.FileSetID = "QXFILESET"
    record = Dataset()
    record.OffsetOfTheNextDirectoryRecord, record.RecordInUseFlag = 0, 0xFFFF
    record.OffsetOfReferencedLowerLevelDirectoryEntity = 0
    record.DirectoryRecordType = "PATIENT"
    record.PatientName, record.PatientID = p.pn, p.mrn
    ds.DirectoryRecordSequence = Sequence([record])
    draft.secret("QXFILESET", "DICOMDIR")
    draft.refusal = "allowed"


@BESIDE.case("date-and-serial-in-uids")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    ds.SOPInstanceUID = f"1.3.12.2.1107.5.2.{p.serial[2:]}.{p.born:%Y%m%d}101112.1"
    draft.drop(lambda c: c.path == ("SOPInstanceUID",))
    draft.uid_check(ds, "SOPInstanceUID")
    draft.secret(f"{p.serial[2:]}.{p.born:%Y%m%d}", "SOPInstanceUID")


@BESIDE.case("pixels-of-every-native-form-stay")
def _(draft: Draft) -> None:
    for name in ("CT_small.dcm", "MR_small.dcm", "MR_small_bigendian.dcm", "MR_small_RLE.dcm"):
        draft.image(name)


@BESIDE.case("burned-in-beside-the-ultrasound-region")
def _(draft: Draft) -> None:
    ds = draft.image("examples_ybr_color.dcm")
    ds.NumberOfFrames = 1
    template = real("examples_rgb_color.dcm")
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    height, width = 240, 320
    assert (template.Rows, template.Columns) == (height, width)
    picture = np.zeros((height, width, 3), np.uint8)
    picture[60:, :, :] = np.frombuffer(template.PixelData, np.uint8)[: height * width * 3].reshape(
        height, width, 3
    )[60:]
    picture[6:40, 10:150] = draft.rng.randrange(180, 255)
    picture[12:34:4, 14:146:3] = 0
    ds.Rows, ds.Columns, ds.PhotometricInterpretation, ds.PlanarConfiguration = height, width, "RGB", 0
    ds.PixelData = picture.tobytes()
    ds["PixelData"].is_undefined_length = False
    ds.BurnedInAnnotation = "YES"
    ds.SequenceOfUltrasoundRegions = draft.items(
        RegionSpatialFormat=1, RegionDataType=1, RegionFlags=0, RegionLocationMinX0=0,
        RegionLocationMinY0=60, RegionLocationMaxX1=width - 1, RegionLocationMaxY1=height - 1,
        PhysicalUnitsXDirection=3, PhysicalUnitsYDirection=3, PhysicalDeltaX=0.1, PhysicalDeltaY=0.1,
    )  # fmt: skip
    draft.drop(lambda c: c.action == "pixels_retained" or c.path == ("PhotometricInterpretation",))
    draft.check("pixels_hidden", ds, (), "10,6,140,34", needs=PIXELS)
    draft.refusal = "allowed"


@BESIDE.case("identity-in-the-file-of-another-modality")
def _(draft: Draft) -> None:
    ds, p = draft.image("693_UNCI.dcm"), draft.person
    assert ds.SOPClassUID == CTImageStorage
    draft.describe(ds, "ProtocolName", f"{p.family} {{words}}")
    draft.keep(
        ds, ("ProtocolName",), *[w for w in ds.ProtocolName.split() if w != p.family], needs=DESCRIPTORS
    )
