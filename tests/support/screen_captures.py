"""Screen captures with a name burned into their pixels."""

import copy
import io

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

#: Options of the profile without the one that blacks burned-in text out: then such instances are kept back.
WITHOUT_PIXELS = {"options": ["clean-descriptors", "retain-patient-characteristics"]}


def picture(text, frames=1):
    """Dark frames of 120 rows and 400 columns with a white text, `(frames, rows, columns)`."""
    font = ImageFont.load_default(28)
    made = []
    for number in range(frames):
        image = Image.new("1", (400, 120))
        ImageDraw.Draw(image).text((20, 40), text, fill=1, font=font)
        made.append(np.asarray(image, np.uint8) * 210 + 40 + number)
    return np.stack(made)


def screen_capture(text, seed, frames=1):
    """A Secondary Capture that says it has text burned in; the study is the seed's own."""
    ds = copy.deepcopy(dcmread(get_testdata_file("CT_small.dcm")))
    for keyword in ("WindowCenter", "WindowWidth", "RescaleIntercept", "RescaleSlope", "PixelPaddingValue"):
        if keyword in ds:
            delattr(ds, keyword)
    pixels = picture(text, frames)
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    ds.StudyInstanceUID = generate_uid(entropy_srcs=["capture", seed])
    ds.SeriesInstanceUID = generate_uid(entropy_srcs=["capture", seed, "series"])
    ds.SOPInstanceUID = generate_uid(entropy_srcs=["capture", seed, text])
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.Modality, ds.ConversionType, ds.BurnedInAnnotation = "OT", "WSD", "YES"
    ds.ImageType = ["DERIVED", "SECONDARY"]
    if frames > 1:
        ds.NumberOfFrames = frames
    ds.Rows, ds.Columns = pixels.shape[1:]
    ds.BitsAllocated = ds.BitsStored = 8
    ds.HighBit, ds.PixelRepresentation = 7, 0
    ds.PixelData = pixels.tobytes()
    ds["PixelData"].VR = "OB"
    return ds


def as_array(png):
    """A PNG's grey values."""
    return np.asarray(Image.open(io.BytesIO(png)).convert("L"))
