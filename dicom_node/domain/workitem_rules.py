"""Which attributes a work item must, may and must not have, by operation and state.

References
----------
PS3.4 2026b §CC.2.5.1.3, Table CC.2.5-3, without the macros that it includes; the rules of coded entries are
those of PS3.3 §8.8. PS3.4 §5.4.2 (what 1, 2 and 3 mean), Table CC.2.5-1 (final state codes).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table.

    Attributes
    ----------
    create
        Of the client when it creates: `1` with a value, `2` present, `0` present and empty, `3` optional,
        `-` not allowed; a `C` behind it makes it optional, for its condition is the client's to know.
    change
        When it updates: `1` with a value wherever the item of the sequence is there, `3` optional with a
        value, `2` optional and may be emptied, `-` not allowed, `u` undefined: left alone.
    final
        What a final state needs: `R` always, `P` for COMPLETED, `X` for CANCELED, `O` nothing.
    match
        Whether it must be a matching key (`R`), may be one (`O`), or is none (`-`).
    returned
        Its type as a return key; empty for none.
    """

    keyword: str
    tag: str
    create: str
    change: str
    final: str
    match: str
    returned: str
    nested: tuple[Rule, ...] = ()


def _rules(text: str) -> tuple[Rule, ...]:
    """Read rows of keyword, tag, create, change, final state, match and return type.

    A row that is indented belongs to the sequence above it.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    return tuple(_block(lines, len(lines[0]) - len(lines[0].lstrip())))


def _block(lines: list[str], indent: int) -> Iterator[Rule]:
    while lines and len(lines[0]) - len(lines[0].lstrip()) == indent:
        keyword, tag, create, change, final, match, returned = lines.pop(0).split()
        deeper = len(lines[0]) - len(lines[0].lstrip()) if lines else 0
        nested = tuple(_block(lines, deeper)) if deeper > indent else ()
        yield Rule(keyword, tag, create, change, final, match, returned.strip("."), nested)


RULES: Final = _rules("""
    TransactionUID                              00081195 0  u O - .
    SpecificCharacterSet                        00080005 1C 3 O - 1C
    SOPClassUID                                 00080016 3  - R O 1
    SOPInstanceUID                              00080018 3  - R O 1
    ScheduledProcedureStepPriority              00741200 1  3 R R 1
    ScheduledProcedureStepModificationDateTime  00404010 3  u R O 3
    ProcedureStepLabel                          00741204 1  3 O R 1
    WorklistLabel                               00741202 2  3 O R 1
    ScheduledProcessingParametersSequence       00741210 2  2 O - 2
    ScheduledStationNameCodeSequence            00404025 2  2 O R 2
    ScheduledStationClassCodeSequence           00404026 2  2 O R 2
    ScheduledStationGeographicLocationCodeSequence 00404027 2 2 O R 2
    ScheduledHumanPerformersSequence            00404034 2C 2 O R 2
        HumanPerformerCodeSequence              00404009 1  1 O R 1
        HumanPerformerName                      00404037 1  1 O O 3
        HumanPerformerOrganization              00404036 1  1 O O 3
    ScheduledProcedureStepStartDateTime         00404005 1  3 R R 1
    ExpectedCompletionDateTime                  00404011 3  3 O R 3
    ScheduledProcedureStepExpirationDateTime    00404008 3  2 O O 3
    ScheduledWorkitemCodeSequence               00404018 2  3 O R 2
    CommentsOnTheScheduledProcedureStep         00400400 2  3 O O 3
    InputReadinessState                         00404041 1  3 R R 1
    InputInformationSequence                    00404021 2  2 O O 2
    StudyInstanceUID                            0020000D 1C 2 O O 2
    OutputDestinationSequence                   00404070 3  2 O O 3
    PatientName                                 00100010 2  - O R 2
    PatientID                                   00100020 1C - O R 2
    IssuerOfPatientID                           00100021 2  u O R 2
    IssuerOfPatientIDQualifiersSequence         00100024 2  u O O 2
    OtherPatientIDsSequence                     00101002 2  2 O O 2
        PatientID                               00100020 1  1 O O 1
        IssuerOfPatientID                       00100021 2  2 O R 2
        IssuerOfPatientIDQualifiersSequence     00100024 2  2 O O 2
    PatientBirthDate                            00100030 2  - O R 2
    PatientSex                                  00100040 2  - O R 2
    ReferencedPatientPhotoSequence              00101100 3  2 O - 3
    AdmissionID                                 00380010 2  - O R 2
    IssuerOfAdmissionIDSequence                 00380014 2  - O R 2
    AdmittingDiagnosesDescription               00081080 2  - O O 2
    AdmittingDiagnosesCodeSequence              00081084 2  - O O 2
    ReferencedRequestSequence                   0040A370 2  - O R 2
        StudyInstanceUID                        0020000D 1  - O O 1
        AccessionNumber                         00080050 2  - O R 2
        IssuerOfAccessionNumberSequence         00080051 2  - O R 2
        PlacerOrderNumberImagingServiceRequest  00402016 3  - O O 1C
        OrderPlacerIdentifierSequence           00400026 2  - O O 2
        FillerOrderNumberImagingServiceRequest  00402017 3  - O O 1C
        OrderFillerIdentifierSequence           00400027 2  - O O 2
        RequestedProcedureID                    00401001 2  - O R 2
        RequestedProcedureDescription           00321060 2  - O O 2
        RequestedProcedureCodeSequence          00321064 2  - O O 2
        RequestingService                       00321033 3  - O R 3
    ReplacedProcedureStepSequence               00741224 1C - O R 3
    MedicalAlerts                               00102000 3  2 O O 2C
    PregnancyStatus                             001021C0 3  2 O O 2C
    SpecialNeeds                                00380050 3  2 O O 2C
    ProcedureStepState                          00741000 1  - R R 1
    ProcedureStepProgressInformationSequence    00741002 0  2 X - 2
        ProcedureStepProgress                   00741004 -  3 O - .
        ProcedureStepProgressDescription        00741006 -  3 O - .
        ProcedureStepProgressParametersSequence 00741007 -  2 O - .
        ProcedureStepCommunicationsURISequence  00741008 -  3 O - .
            ContactURI                          0074100A -  1 O - .
            ContactDisplayName                  0074100C -  3 O - .
        ProcedureStepCancellationDateTime       00404052 -  3 X - .
        ReasonForCancellation                   00741238 -  3 O - .
        ProcedureStepDiscontinuationReasonCodeSequence 0074100E - 3 X - .
    UnifiedProcedureStepPerformedProcedureSequence 00741216 0 2 P - .
        ActualHumanPerformersSequence           00404035 -  3 O O 1C
            HumanPerformerCodeSequence          00404009 -  3 O - .
            HumanPerformerName                  00404037 -  3 O - .
            HumanPerformerOrganization          00404036 -  3 O - .
        PerformedStationNameCodeSequence        00404028 -  2 P O 3
        PerformedStationClassCodeSequence       00404029 -  2 O - .
        PerformedStationGeographicLocationCodeSequence 00404030 - 2 O - .
        PerformedProcedureStepStartDateTime     00404050 -  3 P - .
        PerformedProcedureStepDescription       00400254 -  3 O - .
        CommentsOnThePerformedProcedureStep     00400280 -  3 O - .
        PerformedWorkitemCodeSequence           00404019 -  3 P - .
        PerformedProcessingParametersSequence   00741212 -  3 O - .
        PerformedProcedureStepEndDateTime       00404051 -  3 P O 1C
        OutputInformationSequence               00404033 -  2 P - .
""")

BY_TAG: Final = {rule.tag: rule for rule in RULES}
#: Present is enough: "If there are no relevant output objects, then this sequence may have no items."
MAY_BE_EMPTY_AT_END: Final = "00404033"
#: Enumerated Values and Defined Terms that are closed, by tag (PS3.3 §C.30.1 and §C.30.2).
CLOSED: Final = {
    "00741200": ("HIGH", "MEDIUM", "LOW"),
    "00404041": ("INCOMPLETE", "UNAVAILABLE", "READY"),
}
#: Attributes of which one item is allowed (PS3.3 Tables C.30.1-1 to C.30.3-1).
SINGLE_ITEM: Final = frozenset({"00404018", "00741002", "00741216", "00404019"})


def match_keys() -> dict[str, str]:
    """Keyword by tag path of everything that a search or filter may match on."""
    return dict(_keys(RULES, "", ""))


def _keys(rules: tuple[Rule, ...], path: str, names: str) -> Iterator[tuple[str, str]]:
    for rule in rules:
        here, name = f"{path}{rule.tag}", f"{names}{rule.keyword}"
        if rule.match != "-":
            if not rule.keyword.endswith("Sequence"):
                yield here, name
            elif rule.keyword.endswith("CodeSequence"):
                yield f"{here}.00080100", f"{name}.CodeValue"
                yield f"{here}.00080102", f"{name}.CodingSchemeDesignator"
                yield f"{here}.00080104", f"{name}.CodeMeaning"
            elif rule.keyword == "InputInformationSequence":
                yield f"{here}.0020000D", f"{name}.StudyInstanceUID"
                yield f"{here}.0020000E", f"{name}.SeriesInstanceUID"
            elif rule.keyword == "ReplacedProcedureStepSequence":
                yield f"{here}.00081155", f"{name}.ReferencedSOPInstanceUID"
        yield from _keys(rule.nested, f"{here}.", f"{name}.")
