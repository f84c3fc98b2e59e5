"""Predictions as DICOM result objects; implements `ports.ResultEncoder`."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

import structlog

from dicom_node.domain.errors import EncodingFailed
from dicom_node.domain.result import EncodedResult, ResultKind
from dicom_node.domain.run import RunStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pydicom.dataset import Dataset

    from dicom_node.domain.finding import Prediction
    from dicom_node.ports.models import StudyInput


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _software_version() -> str:
    try:
        return version("dicom-ai-node")
    except PackageNotFoundError:
        return "unknown"


class Encoder:
    """Makes two SRs, a SEG and a heatmap series of each finished prediction.

    highdicom is imported at the first call; `warm_up` does it ahead.

    Parameters
    ----------
    derive_uid
        A keyed function of strings to a UID, the same for the same strings.
    now
        The current time, aware. Written in the machine's local time, as DICOM has it without a time
        zone offset.
    """

    def __init__(self, derive_uid: Callable[..., str], now: Callable[[], datetime] = _utc_now) -> None:
        self._derive_uid = derive_uid
        self._now = now
        self._log = structlog.get_logger()

    def warm_up(self) -> None:
        """Import what encoding needs and let highdicom load its tables; never raises."""
        with contextlib.suppress(ImportError, OSError):
            from inference.encode import warm

            warm.load_tables()

    def encode(self, predictions: Sequence[Prediction], study: StudyInput) -> Sequence[EncodedResult]:
        """Encode every prediction that is done; others give no objects.

        Raises
        ------
        EncodingFailed
            If a prediction and its source do not fit together, or an object cannot be written.
        """
        made_at = self._now().astimezone()
        results: list[EncodedResult] = []
        for position, prediction in enumerate(predictions):
            if prediction.status is not RunStatus.DONE:
                continue
            try:
                made = self._encode_one(prediction, study, position, made_at)
                model = prediction.model
                results += [replace(one, model=model.name, model_version=model.version) for one in made]
            except EncodingFailed:
                raise
            except (ValueError, TypeError, AttributeError, KeyError, IndexError, OverflowError) as exc:
                # The library's text may hold values of a data set: only its type goes on.
                raise EncodingFailed(
                    f"a result of {prediction.model.name} cannot be written ({type(exc).__name__});"
                    " look at the prediction's codes and at the source's attributes"
                ) from exc
        self._log.info("results_encoded", count=len(results))
        return tuple(results)

    def _encode_one(
        self, prediction: Prediction, study: StudyInput, position: int, made_at: datetime
    ) -> list[EncodedResult]:
        from inference.encode.arrays import load_arrays
        from inference.encode.context import ResultContext
        from inference.encode.measurement_report import make_measurement_report
        from inference.encode.secondary_capture import key_slice, make_heatmaps
        from inference.encode.segmentation import make_segmentation
        from inference.encode.source import read_source
        from inference.encode.text_report import make_text_report

        source = read_source(study, prediction)
        arrays = load_arrays(prediction, source.pixels.shape)
        context = ResultContext(
            prediction=prediction,
            source=source,
            study_instance_uid=study.study_instance_uid,
            version=study.version,
            position=position,
            made_at=made_at,
            software_version=_software_version(),
            derive_uid=self._derive_uid,
        )
        segmentation = make_segmentation(context, arrays.mask) if prediction.segments else None
        measurements = make_measurement_report(context, segmentation, arrays.mask)
        others = [ds for ds in (measurements, segmentation) if ds is not None]
        report = make_text_report(context, [*others, key_slice(context, arrays)])
        objects = [_result(ResultKind.SR, measurements), _result(ResultKind.SR, report)]
        if segmentation is not None:
            objects.append(_result(ResultKind.SEG, segmentation))
        return objects + make_heatmaps(context, arrays.probability)


def _result(kind: ResultKind, ds: Dataset) -> EncodedResult:
    from inference.encode.part10 import to_part10

    return EncodedResult(
        kind=kind,
        sop_class_uid=str(ds.SOPClassUID),
        series_instance_uid=str(ds.SeriesInstanceUID),
        sop_instance_uid=str(ds.SOPInstanceUID),
        data=to_part10(ds),
    )
