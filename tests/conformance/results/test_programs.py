"""Results under programs that are not ours (CONFORMANCE.md §4)."""

import pytest
from predicted_series import PLANES, make_case, pick

from dicom_node.domain.result import ResultKind


def test_dciodvfy_prints_no_error_on_any_object(results, run_tool):
    for result in results:
        _, lines = run_tool("dciodvfy", result.data)
        assert [line for line in lines.splitlines() if line.startswith("Error")] == []
        assert lines.strip(), "dciodvfy said nothing: did it read the object?"


@pytest.mark.parametrize("plane", PLANES)
def test_dciodvfy_prints_no_error_in_any_plane(plane, run_tool):
    for result in make_case(plane=plane, spacing=(0.9375, 0.46875)).encode():
        _, lines = run_tool("dciodvfy", result.data)
        assert [line for line in lines.splitlines() if line.startswith("Error")] == []


def test_dsrdump_reads_the_measurement_report(results, run_tool, case):
    printed, _ = run_tool("dsrdump", pick(results, ResultKind.SR).data)
    volume = case.prediction.measurements[0].value
    assert '"Imaging Measurement Report")=SEPARATE' in printed
    assert f'"Volume")="{volume}" (mL,UCUM,"milliliter")' in printed
    assert '"Certainty of Finding")="97.4" (%,UCUM,"percent")' in printed
    assert '"Referenced Segment")=(SG image,,1)' in printed
    assert '"Image Region")=(POLYLINE,' in printed
    assert printed.count('"Algorithm Name")="mr-brain-extraction"') == 2
    assert '"Device Observer UID")="2.25.11223344556677889900"' in printed


def test_dsrdump_reads_the_full_report(results, run_tool):
    printed, _ = run_tool("dsrdump", pick(results, ResultKind.SR, 1).data)
    assert '"MRI Report")=SEPARATE' in printed
    assert "CONTINUOUS" not in printed
    for line in ('"Comment")="Research use only.', '"Algorithm Version")="1.0.2"', "Passed: modality"):
        assert line in printed
