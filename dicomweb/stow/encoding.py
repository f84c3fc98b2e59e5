"""The response of STOW-RS as DICOM JSON; it names instances as the sender did.

References
----------
PS3.18 §10.5.3 and Table 10.5.3-2 (Store Instances Response Module).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dicomweb.instance_url import instance_url

if TYPE_CHECKING:
    from dicomweb.stow.service import Failure, Stored, StoreReport

_RETRIEVE_URL = "00081190"
_REFERENCED_SOP_SEQUENCE = "00081199"
_FAILED_SOP_SEQUENCE = "00081198"
_OTHER_FAILURES_SEQUENCE = "0008119A"
_SOP_CLASS, _SOP_INSTANCE = "00081150", "00081155"
_WARNING_REASON, _FAILURE_REASON = "00081196", "00081197"


def encode_report(report: StoreReport, root: str) -> dict[str, Any]:
    """The Store Instances Response Module.

    Referenced SOP Instance UIDs are those that were sent, so that the sender recognises its instances.
    Retrieve URLs hold the pseudonymous UIDs under which the node will serve the de-identified instances:
    original UIDs stand in no URL of the node. They answer once the study has been processed.
    """
    model: dict[str, Any] = {}
    studies = {item.receipt.study_instance_uid for item in report.stored}
    # Type 2: present without a value where instances of several studies, or none, were stored.
    one = len(studies) == 1
    model[_RETRIEVE_URL] = _url(f"{root}/studies/{studies.pop()}") if one else {"vr": "UR"}
    named = [_failed(item) for item in report.failed if item.identity is not None]
    if named:
        model[_FAILED_SOP_SEQUENCE] = {"vr": "SQ", "Value": named}
    if report.stored:
        items = [_referenced(item, root) for item in report.stored]
        model[_REFERENCED_SOP_SEQUENCE] = {"vr": "SQ", "Value": items}
    unnamed = [{_FAILURE_REASON: _us(item.reason)} for item in report.failed if item.identity is None]
    if unnamed:
        model[_OTHER_FAILURES_SEQUENCE] = {"vr": "SQ", "Value": unnamed}
    return model


def _referenced(item: Stored, root: str) -> dict[str, Any]:
    receipt = item.receipt
    model = {
        _SOP_CLASS: _ui(receipt.sent.sop_class_uid),
        _SOP_INSTANCE: _ui(receipt.sent.sop_instance_uid),
        _RETRIEVE_URL: _url(instance_url(root, receipt)),
    }
    if item.warning is not None:
        model[_WARNING_REASON] = _us(item.warning)
    return dict(sorted(model.items()))


def _failed(item: Failure) -> dict[str, Any]:
    identity = item.identity
    model = {_FAILURE_REASON: _us(item.reason)}
    if identity is not None:
        model[_SOP_CLASS] = _ui(identity.sop_class_uid)
        model[_SOP_INSTANCE] = _ui(identity.sop_instance_uid)
    return dict(sorted(model.items()))


def _ui(value: str) -> dict[str, Any]:
    return {"vr": "UI", "Value": [value]}


def _us(value: int) -> dict[str, Any]:
    return {"vr": "US", "Value": [value]}


def _url(value: str) -> dict[str, Any]:
    return {"vr": "UR", "Value": [value]}
