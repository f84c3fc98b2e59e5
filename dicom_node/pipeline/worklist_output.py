"""What a work item says of its analysis: progress, results, and why there are none.

References
----------
PS3.3 §C.30.3 (UPS Performed Procedure Information), Table 10-3b (Referenced Instances and Access Macro);
PS3.16 CID 9300 (Procedure Discontinuation Reason); IHE AI Workflow for Imaging (RAD-84, RAD-85).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dicom_node.domain import workitem as ups
from dicom_node.domain.delivery import DeliveryStatus
from dicom_node.domain.study import Stage, StudyState
from dicom_node.domain.workitem import attribute, coded, first, items

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from dicom_node.domain.result import ResultEntry
    from dicom_node.domain.study import StudyRecord
    from dicom_node.domain.workitem import Model, Workitem

#: Percent of the way when a stage begins.
_PERCENT: Final = {
    Stage.DEIDENTIFY: 10,
    Stage.ROUTE: 25,
    Stage.INFER: 30,
    Stage.ENCODE: 70,
    Stage.CHECK: 80,
    Stage.DELIVER: 90,
    Stage.PURGE: 95,
}
FAILURE: Final = coded("110501", "DCM", "Equipment failure")
NOT_SUPPORTED: Final = coded("110522", "DCM", "Object Types not supported")
NOT_READABLE: Final = coded("110521", "DCM", "Objects incorrectly formatted")
REJECTED: Final = coded("110530", "DCM", "Workitem assignment rejected by assigned resource")
EXPIRED: Final = coded("110533", "DCM", "Workitem expired")
_SENT: Final = frozenset({DeliveryStatus.SENT, DeliveryStatus.CONFIRMED})


@dataclass(frozen=True, slots=True)
class OutputAddress:
    """Where a destination's copies can be retrieved from.

    Attributes
    ----------
    ae_title, url
        One of them: of a DICOM peer, or of a DICOMweb service.
    """

    original_identity: bool
    ae_title: str | None = None
    url: str | None = None


def progress(stage: Stage | None) -> Model:
    """Progress of a run that is in a stage."""
    return _progress(
        {
            "00741004": attribute("DS", _PERCENT.get(stage, 5) if stage else 5),
            "00741006": attribute("ST", stage.value if stage else "waiting"),
        }
    )


def begun(item: Workitem, station: Model, default_code: Model, now: datetime) -> Model:
    """What is known of the performed procedure at its beginning."""
    codes = items(item.attributes, ups.WORKITEM_CODES) or [default_code]
    return _performed(
        {
            "00404019": attribute("SQ", *codes),
            "00404028": attribute("SQ", station),
            "00404050": attribute("DT", ups.dicom_datetime(now)),
        }
    )


def is_answer(study: StudyRecord) -> bool:
    """Whether the analysis has an answer: results, or a model that looked and says that it cannot tell."""
    return study.state is StudyState.DONE or (study.state is StudyState.REJECTED and bool(study.runs))


def performed(
    item: Workitem,
    study: StudyRecord,
    original_study_uid: str | None,
    addresses: Mapping[str, OutputAddress],
    now: datetime,
) -> Model:
    """The performed procedure of an analysis that has an answer."""
    known = items(item.attributes, ups.PERFORMED_PROCEDURE)
    labels = [run.label for run in study.runs if run.label]
    description = "; ".join(labels) if study.state is StudyState.DONE else "Unable to determine"
    procedure = {
        **(known[0] if known else {}),
        "00400254": attribute("LO", (description or "Analysed")[:64]),
        "00404033": attribute("SQ", *_outputs(study, original_study_uid, addresses)),
        "00404051": attribute("DT", ups.dicom_datetime(now)),
    }
    if study.reason:
        procedure["00400280"] = attribute("ST", study.reason[:1024])
    return _performed(dict(sorted(procedure.items())))


def not_performed(study: StudyRecord) -> Model:
    """Why an analysis has no answer; the reasons of the pipeline carry no identity."""
    code = {
        StudyState.REJECTED: NOT_SUPPORTED,
        StudyState.QUARANTINED: NOT_READABLE,
    }.get(study.state, FAILURE)
    return discontinued(code, study.reason or f"the analysis ended as {study.state.value}")


def discontinued(code: Model, reason: str) -> Model:
    """Why a procedure step was given up."""
    return _progress(
        {ups.DISCONTINUATION_CODES: attribute("SQ", code), ups.CANCELLATION_REASON: attribute("LT", reason)}
    )


def _outputs(
    study: StudyRecord, original_study_uid: str | None, addresses: Mapping[str, OutputAddress]
) -> list[Model]:
    series: dict[str, list[ResultEntry]] = {}
    for result in study.results:
        series.setdefault(result.series_instance_uid, []).append(result)
    delivered = [
        addresses[d.destination] for d in study.deliveries if d.status in _SENT and d.destination in addresses
    ]
    outputs = []
    for uid, results in series.items():
        own = f"studies/{study.study_instance_uid}/series/{uid}"
        here = {"0040E025": attribute("SQ", {"00081190": attribute("UR", own)})}
        outputs.append(_output(study.study_instance_uid, uid, results, here))
        for address in delivered:
            study_uid = original_study_uid if address.original_identity else study.study_instance_uid
            if study_uid is not None:
                outputs.append(_output(study_uid, uid, results, _retrieval(address, study_uid, uid)))
    return outputs


def _output(study_uid: str, series_uid: str, results: list[ResultEntry], retrieval: Model) -> Model:
    sops = [
        {
            "00081150": attribute("UI", result.sop_class_uid),
            "00081155": attribute("UI", result.sop_instance_uid),
        }
        for result in results
    ]
    model = {
        "00081199": attribute("SQ", *sops),
        "0020000D": attribute("UI", study_uid),
        "0020000E": attribute("UI", series_uid),
        "0040E020": attribute("CS", "DICOM"),
        **retrieval,
    }
    return dict(sorted(model.items()))


def _retrieval(address: OutputAddress, study_uid: str, series_uid: str) -> Model:
    if address.ae_title is not None:
        return {"0040E021": attribute("SQ", {"00080054": attribute("AE", address.ae_title)})}
    url = f"{(address.url or '').rstrip('/')}/studies/{study_uid}/series/{series_uid}"
    return {"0040E025": attribute("SQ", {"00081190": attribute("UR", url)})}


def _progress(item: Model) -> Model:
    return {ups.PROGRESS_INFORMATION: attribute("SQ", item)}


def _performed(item: Model) -> Model:
    return {ups.PERFORMED_PROCEDURE: attribute("SQ", item)}


def code_key(item: Model) -> tuple[str, str]:
    """Code Value and Coding Scheme Designator, which make a code."""
    value = first(item, "00080100") or first(item, "00080119") or first(item, "00080120") or ""
    return str(value), str(first(item, "00080102") or "")
