"""Loads highdicom and the tables that it reads at first use."""

from __future__ import annotations

from highdicom.base import SOPClass
from pydicom.uid import MRImageStorage, generate_uid

from inference.encode import measurement_report, secondary_capture, segmentation, text_report

#: Imported so that the first study finds them loaded.
LOADED = (measurement_report, secondary_capture, segmentation, text_report)


def load_tables() -> None:
    """Make highdicom read its copies of the standard's tables (about 0.3 s), which it keeps."""
    ds = SOPClass(
        study_instance_uid=generate_uid(None),
        series_instance_uid=generate_uid(None),
        series_number=1,
        sop_instance_uid=generate_uid(None),
        sop_class_uid=MRImageStorage,
        instance_number=1,
        modality="MR",
    )
    ds.copy_patient_and_study_information(ds)
