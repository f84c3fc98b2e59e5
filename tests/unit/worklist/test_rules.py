"""The table of attribute rules, and what is read beside it."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.sr._concepts_dict import concepts
from workitem_samples import model

from dicom_node.domain.errors import Conflict
from dicom_node.domain.workitem import Refusal, WorkitemRefused, WorkitemState, first
from dicom_node.domain.workitem_changes import UNSPECIFIED_REASON
from dicom_node.domain.workitem_checks import check_final, check_values, is_ae_title, is_uid
from dicom_node.domain.workitem_rules import RULES
from dicom_node.pipeline import worklist_output
from dicom_node.pipeline.worklist_times import passed, read_moment
from dicomweb.ups.refusals import Transaction, problem_of_refusal


def rows(rules, depth=0):
    for rule in rules:
        yield rule, depth
        yield from rows(rule.nested, depth + 1)


@pytest.mark.parametrize("rule", [rule for rule, _ in rows(RULES)], ids=lambda rule: rule.keyword)
def test_row_names_an_attribute_of_the_dictionary_by_known_codes(rule):
    assert f"{tag_for_keyword(rule.keyword):08X}" == rule.tag
    assert rule.create in {"0", "1", "2", "3", "1C", "2C", "-"}
    assert rule.change in {"1", "2", "3", "-", "u"}
    assert rule.final in {"R", "P", "X", "O"}
    assert rule.match in {"R", "O", "-"}
    assert rule.returned in {"1", "2", "3", "1C", "2C", ""}
    assert not rule.nested or dictionary_VR(rule.tag) == "SQ"


def test_final_state_column_is_that_of_the_standard():
    """PS3.4 Table CC.2.5-3."""
    by_code = {code: {rule.tag for rule, _ in rows(RULES) if rule.final == code} for code in "RPX"}
    assert by_code["R"] == {
        "00080016", "00080018", "00741200", "00404010", "00404005", "00404041", "00741000",
    }  # fmt: skip
    assert by_code["P"] == {"00741216", "00404028", "00404050", "00404019", "00404051", "00404033"}
    assert by_code["X"] == {"00741002", "00404052", "0074100E"}


def test_every_refusal_has_a_status_in_every_transaction():
    for transaction in Transaction:
        for why in Refusal:
            problem = problem_of_refusal(WorkitemRefused("x", why), transaction, "node")
            assert problem.status in {400, 409}
    assert issubclass(WorkitemRefused, Conflict)


def test_final_state_names_all_that_is_missing():
    with pytest.raises(WorkitemRefused) as caught:
        check_final(model(ProcedureStepState="IN PROGRESS"), WorkitemState.COMPLETED)
    for keyword in ("SOPClassUID", "InputReadinessState", "UnifiedProcedureStepPerformedProcedureSequence"):
        assert keyword in str(caught.value)


def test_nested_code_sequences_are_checked_where_they_stand():
    wrong = model(UnifiedProcedureStepPerformedProcedureSequence=model(PerformedWorkitemCodeSequence=model()))
    with pytest.raises(WorkitemRefused, match=r"PerformedProcedureSequence\.PerformedWorkitemCodeSequence"):
        check_values(wrong)


@pytest.mark.parametrize(
    ("uid", "valid"),
    [("1.2.3", True), ("2.25.0", True), ("", False), ("1..2", False), ("1.02", False), ("1." * 40, False)],
)
def test_uid(uid, valid):
    assert is_uid(uid) is valid


@pytest.mark.parametrize(
    ("title", "valid"),
    [
        ("AE", True),
        ("A B", True),
        ("", False),
        ("   ", False),
        ("A\\B", False),
        ("A" * 17, False),
        ("Ä", False),
    ],
)
def test_ae_title(title, valid):
    assert is_ae_title(title) is valid


@pytest.mark.parametrize(
    "item",
    [
        UNSPECIFIED_REASON,
        worklist_output.FAILURE,
        worklist_output.NOT_SUPPORTED,
        worklist_output.NOT_READABLE,
        worklist_output.REJECTED,
        worklist_output.EXPIRED,
    ],
    ids=lambda item: first(item, "00080100"),
)
def test_code_of_a_reason_has_the_meaning_of_the_standard(item):
    """PS3.16 CID 9300."""
    known = {
        value: meaning for entries in concepts["DCM"].values() for value, (meaning, *_) in entries.items()
    }
    assert first(item, "00080102") == "DCM"
    assert known[first(item, "00080100")] == first(item, "00080104")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026", datetime(2026, 1, 1, tzinfo=UTC)),
        ("20260203", datetime(2026, 2, 3, tzinfo=UTC)),
        ("20260203101112.5", datetime(2026, 2, 3, 10, 11, 12, 500000, tzinfo=UTC)),
        ("20260203101112+0130", datetime(2026, 2, 3, 8, 41, 12, tzinfo=UTC)),
        ("2026020310-0500", datetime(2026, 2, 3, 15, tzinfo=UTC)),
        ("20261332", None),
        ("soon", None),
        ("", None),
    ],
)
def test_date_time(text, moment):
    assert read_moment(text, UTC) == moment


def test_date_time_without_an_offset_is_local():
    zone = timezone(timedelta(hours=5))
    noon = datetime(2026, 2, 3, 12, tzinfo=UTC)
    assert passed("202602031659", noon, zone)
    assert not passed("202602031701", noon, zone)
    assert not passed(None, noon, zone)
