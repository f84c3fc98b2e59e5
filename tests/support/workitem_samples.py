"""Work items for tests: as a client sends them, and as the standard wants them to end."""

from pydicom.datadict import dictionary_VR, tag_for_keyword

from dicom_node.domain.workitem_rules import RULES

WORKITEM = "2.25.4711"
TRANSACTION = "2.25.1"
PATIENT = "CANARY^WORK^ITEM"


def element(keyword, *values):
    """(tag, attribute) of a keyword."""
    tag = tag_for_keyword(keyword)
    return f"{tag:08X}", {"vr": dictionary_VR(tag), **({"Value": list(values)} if values else {})}


def model(**attributes):
    """DICOM JSON by keyword; a value that is no list stands alone, `None` is empty."""
    made = {}
    for keyword, value in attributes.items():
        values = value if isinstance(value, list) else [] if value is None else [value]
        tag, attribute = element(keyword, *values)
        made[tag] = attribute
    return dict(sorted(made.items()))


def code(value, scheme="99TEST", meaning="a code"):
    return model(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def order(**changes):
    """What a client posts: every attribute of type 1 and 2, most of them empty; `...` leaves one out."""
    attributes = {rule.keyword: None for rule in RULES if rule.create in {"0", "1", "2"}}
    attributes |= {
        "ScheduledProcedureStepPriority": "MEDIUM",
        "ProcedureStepLabel": "Brain volume",
        "WorklistLabel": "AI",
        "ScheduledProcedureStepStartDateTime": "20260101120000",
        "ScheduledWorkitemCodeSequence": code("110004", "DCM", "Computer Aided Detection"),
        "InputReadinessState": "READY",
        "ProcedureStepState": "SCHEDULED",
        "PatientName": {"Alphabetic": PATIENT},
        "PatientID": "CANARY-ID",
        "StudyInstanceUID": "1.2.840.99.1",
    } | changes
    return model(**{keyword: value for keyword, value in attributes.items() if value is not ...})


def performed(**changes):
    """The item of the performed procedure that a COMPLETED work item needs; `...` leaves one out."""
    attributes = {
        "PerformedStationNameCodeSequence": code("STATION"),
        "PerformedProcedureStepStartDateTime": "20260101120001",
        "PerformedProcedureStepEndDateTime": "20260101120101",
        "PerformedWorkitemCodeSequence": code("110004", "DCM", "Computer Aided Detection"),
        "OutputInformationSequence": None,
    } | changes
    return model(**{keyword: value for keyword, value in attributes.items() if value is not ...})


def completion():
    """An update after which a work item may be COMPLETED."""
    return model(UnifiedProcedureStepPerformedProcedureSequence=performed())


def cancellation():
    """An update after which a work item may be CANCELED."""
    reason = code("110513", "DCM", "Discontinued for unspecified reason")
    return model(
        ProcedureStepProgressInformationSequence=model(ProcedureStepDiscontinuationReasonCodeSequence=reason)
    )


def state(target, transaction=TRANSACTION):
    """What a client puts to change a state."""
    return model(ProcedureStepState=target, **({"TransactionUID": transaction} if transaction else {}))
