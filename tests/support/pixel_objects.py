"""Data sets of the anonymizer's codec with pixels of every kind, made by pydicom."""

import io

import numpy as np
import pydicom
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset

from anonymizer.part10 import Part10, standard_dictionary
from anonymizer.table import load_table

PART10 = Part10(standard_dictionary(load_table()))


def image(
    pixels, *, photometric="MONOCHROME2", stored=None, signed=False, planar=0, frames=None, **attributes
):
    """A Secondary Capture of an array in pydicom's axis order; attributes by keyword."""
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = uid.SecondaryCaptureImageStorage, uid.generate_uid()
    ds.Modality, ds.ConversionType = "OT", "WSD"
    colour = pixels.ndim - (frames is not None) == 3
    ds.Rows, ds.Columns = pixels.shape[-3:-1] if colour else pixels.shape[-2:]
    ds.SamplesPerPixel = 3 if colour else 1
    if colour:
        ds.PlanarConfiguration = planar
        if planar:
            pixels = np.moveaxis(pixels, -1, -3)
    ds.PhotometricInterpretation = photometric
    ds.BitsAllocated = pixels.dtype.itemsize * 8
    ds.BitsStored = stored or ds.BitsAllocated
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = int(signed)
    if frames is not None:
        ds.NumberOfFrames = frames
    data = np.ascontiguousarray(pixels).tobytes()
    ds.PixelData = data + b"\0" * (len(data) % 2)
    ds["PixelData"].VR = "OB" if ds.BitsAllocated == 8 else "OW"
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return with_meta(ds, uid.ExplicitVRLittleEndian)


def as_image(pixels):
    """The usual Secondary Capture of an array: RGB, or grey of 8 or 12 bits; signed where it is."""
    if pixels.dtype.itemsize == 1:
        stored = 8
    else:
        stored = 12 if pixels.dtype.kind == "u" and pixels.max() < 4096 else 16
    photometric = "RGB" if pixels.ndim == 3 else "MONOCHROME2"
    return image(
        np.ascontiguousarray(pixels), photometric=photometric, stored=stored, signed=pixels.dtype.kind == "i"
    )


def with_meta(ds, transfer_syntax_uid):
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.file_meta.TransferSyntaxUID = transfer_syntax_uid
    return ds


def big_endian(ds):
    """The same data set in Explicit VR Big Endian."""
    size = ds.BitsAllocated // 8
    if size > 1:
        ds.PixelData = np.frombuffer(ds.PixelData, f"<u{size}").astype(f">u{size}").tobytes()
    return with_meta(ds, uid.ExplicitVRBigEndian)


def as_bytes(ds):
    """Part 10 bytes."""
    stream = io.BytesIO()
    syntax = ds.file_meta.TransferSyntaxUID
    ds.preamble = bytes(128)
    little = syntax.is_little_endian
    pydicom.dcmwrite(stream, ds, implicit_vr=syntax.is_implicit_VR, little_endian=little)
    return stream.getvalue()


def parsed(source):
    """(codec data set, transfer syntax, codec) of a pydicom data set or of Part 10 bytes."""
    file = PART10.read(source if isinstance(source, bytes) else as_bytes(source))
    return file.dataset, file.transfer_syntax_uid, PART10.codec(file.transfer_syntax_uid)


def clean(cleaner, source, *, thorough=True):
    """Clean a pydicom data set or Part 10 bytes; returns the outcome and what pydicom reads afterwards."""
    dataset, syntax, codec = parsed(source)
    outcome = cleaner.clean(dataset, syntax, codec, thorough=thorough)
    return outcome, pydicom.dcmread(io.BytesIO(PART10.write(dataset, outcome.transfer_syntax_uid)))
