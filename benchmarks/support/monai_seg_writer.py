"""Times the SEG writer of MONAI Deploy App SDK; runs in an interpreter that has it.

PYTHON benchmarks/support/monai_seg_writer.py DICOM_FOLDER MASK_NPY OUT_FOLDER
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import pydicom
from monai.deploy.core import Fragment
from monai.deploy.core.domain import DICOMSeries
from monai.deploy.operators.dicom_seg_writer_operator import (
    DICOMSegmentationWriterOperator,
    SegmentDescription,
)
from pydicom.sr.codedict import codes

REPEATS = 3


def main() -> None:
    """Write the segmentation a few times; print the seconds of reading and of each writing as JSON."""
    folder, mask_file, out = (Path(argument) for argument in sys.argv[1:4])
    mask = np.load(mask_file)
    description = SegmentDescription(
        segment_label="Brain",
        segmented_property_category=codes.SCT.Organ,
        segmented_property_type=codes.SCT.Brain,
        algorithm_name="benchmark",
        algorithm_version="1",
    )
    operator = DICOMSegmentationWriterOperator(
        Fragment(), segment_descriptions=[description], output_folder=out, name="writer"
    )
    started = time.perf_counter()
    series = DICOMSeries(series_instance_uid="1")
    for path in sorted(folder.iterdir()):
        series.add_sop_instance(pydicom.dcmread(path))
    read_s = time.perf_counter() - started
    writes = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        operator.create_dicom_seg(mask, series, out)
        writes.append(time.perf_counter() - started)
    print(json.dumps({"read_s": read_s, "write_s": writes}))


if __name__ == "__main__":
    main()
