import json

import pytest

from dicom_node.observability.audit import AuditFile

KEY = b"k" * 32


@pytest.fixture
def audit(tmp_path):
    log = AuditFile(tmp_path / "audit.jsonl", KEY)
    for number in range(5):
        log.record("study.purged", study_id=f"s{number}", files_deleted=number)
    return log


def _lines(tmp_path):
    return (tmp_path / "audit.jsonl").read_text().splitlines(keepends=True)


def _rewrite(tmp_path, lines):
    (tmp_path / "audit.jsonl").write_text("".join(lines))


def test_untouched_log_verifies_and_survives_reopening(audit, tmp_path):
    reopened = AuditFile(tmp_path / "audit.jsonl", KEY)
    reopened.record("study.ended", study_id="s0")
    assert reopened.verify() == []
    assert [e["event"] for e in reopened.entries()] == ["study.purged"] * 5 + ["study.ended"]


def test_changed_line_is_found(audit, tmp_path):
    lines = _lines(tmp_path)
    lines[2] = lines[2].replace('"s2"', '"s9"')
    _rewrite(tmp_path, lines)
    assert [p.line for p in audit.verify()] == [3]


def test_dropped_line_is_found(audit, tmp_path):
    lines = _lines(tmp_path)
    _rewrite(tmp_path, lines[:2] + lines[3:])
    assert [p.line for p in audit.verify()] == [3]


def test_inserted_line_of_somebody_without_the_key_is_found(audit, tmp_path):
    lines = _lines(tmp_path)
    forged = json.loads(lines[1]) | {"study_id": "forged"}
    _rewrite(tmp_path, [*lines[:2], json.dumps(forged) + "\n", *lines[2:]])
    assert audit.verify()


def test_line_torn_by_a_crash_is_dropped_and_the_chain_goes_on(audit, tmp_path):
    with (tmp_path / "audit.jsonl").open("a") as file:
        file.write('{"at": "2026-')
    reopened = AuditFile(tmp_path / "audit.jsonl", KEY)
    reopened.record("study.ended", study_id="s0")
    assert len(_lines(tmp_path)) == 6
    assert reopened.verify() == []
