"""Predictions as DICOM result objects; implements `ports.ResultEncoder`."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import structlog

from dicom_node.domain.run import RunStatus
from inference.encode.choice import usual_choice
from inference.encode.failures import writing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dicom_node.domain.finding import Prediction
    from dicom_node.domain.result import EncodedResult, ResultEntry
    from dicom_node.ports.models import StudyInput
    from inference.contract.card import ModelCard
    from inference.encode.choice import Choose


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _software_version() -> str:
    try:
        return version("dicom-ai-node")
    except PackageNotFoundError:
        return "unknown"


def _no_card(model: str) -> None:
    del model


class Encoder:
    """Makes reports, segmentations, pictures and more of each finding, and a report of each rejection.

    highdicom is imported at the first call; `warm_up` does it ahead.

    Parameters
    ----------
    derive_uid
        A keyed function of strings to a UID, the same for the same strings.
    now
        The current time, aware. Written in the machine's local time, as DICOM has it without a time
        zone offset.
    choose
        What is made for a model besides what is always made.
    card
        What a model's package says of it, for the reports.
    """

    def __init__(
        self,
        derive_uid: Callable[..., str],
        now: Callable[[], datetime] = _utc_now,
        choose: Choose = usual_choice,
        card: Callable[[str], ModelCard | None] = _no_card,
    ) -> None:
        self._derive_uid = derive_uid
        self._now = now
        self._choose = choose
        self._card = card
        self._log = structlog.get_logger()

    def warm_up(self) -> None:
        """Import what encoding needs and let highdicom load its tables; never raises."""
        with contextlib.suppress(ImportError, OSError):
            from inference.encode import warm

            warm.load_tables()

    def encode(
        self, predictions: Sequence[Prediction], study: StudyInput, earlier: Sequence[ResultEntry] = ()
    ) -> Iterator[EncodedResult]:
        """Yield the results of each prediction, one by one: of a rejected one a report, of a failed one none.

        Parameters
        ----------
        earlier
            What was published of earlier versions of the study; new reports name their predecessors.

        Raises
        ------
        EncodingFailed
            If a prediction and its source do not fit together, or an object cannot be written.
        """
        count = 0
        shared = {
            "study_instance_uid": study.study_instance_uid,
            "version": study.version,
            "made_at": self._now().astimezone(),
            "software_version": _software_version(),
            "derive_uid": self._derive_uid,
            "earlier": {entry.sop_instance_uid: entry for entry in earlier},
        }
        for position, prediction in enumerate(predictions):
            model = prediction.model
            with writing(f"a result of {model.name}"):
                for made in self._encode_one(
                    prediction, study, shared | {"position": position, "card": self._card(model.name)}
                ):
                    count += 1
                    yield replace(made, model=model.name, model_version=model.version)
        self._log.info("results_encoded", count=count)

    def _encode_one(
        self, prediction: Prediction, study: StudyInput, shared: dict[str, Any]
    ) -> Iterator[EncodedResult]:
        if prediction.status is RunStatus.FAILED:
            return
        if prediction.status is RunStatus.REJECTED:
            from inference.encode.rejection import make_rejection

            yield make_rejection(prediction, study, shared)
            return
        from inference.encode.arrays import load_arrays
        from inference.encode.context import ResultContext
        from inference.encode.makers import Making, make_results
        from inference.encode.source import read_source

        source = read_source(study, prediction)
        arrays = load_arrays(prediction, source.shape)
        context = ResultContext(prediction=prediction, source=source, header=source.header, **shared)
        yield from make_results(Making(context, arrays, self._choose(prediction.model.name)))
