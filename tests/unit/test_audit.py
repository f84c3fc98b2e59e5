import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from dicom_node.domain.errors import StorageFailure
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


RECORDER = """
import sys
from pathlib import Path
from dicom_node.domain.errors import StorageFailure
from dicom_node.observability.audit import AuditFile
log = AuditFile(Path(sys.argv[1]), b"k" * 32)
for number in range(40):
    log.record("study.purged", study_id=f"{sys.argv[2]}-{number}")
"""


def test_two_that_have_the_log_open_continue_each_other_s_chain(audit, tmp_path):
    other = AuditFile(tmp_path / "audit.jsonl", KEY)
    for number in range(3):
        other.record("study.ended", study_id=f"other-{number}")
        audit.record("study.ended", study_id=f"first-{number}")

    assert audit.verify() == other.verify() == []
    assert len(_lines(tmp_path)) == 11


def test_threads_and_processes_that_record_at_once_keep_one_chain(audit, tmp_path):
    writers = [
        subprocess.Popen([sys.executable, "-c", RECORDER, str(tmp_path / "audit.jsonl"), name])
        for name in ("a", "b")
    ]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda n: audit.record("study.ended", study_id=f"t{n}"), range(40)))
    assert [writer.wait(30) for writer in writers] == [0, 0]

    assert audit.verify() == []
    assert len({entry["study_id"] for entry in audit.entries()}) == 5 + 40 + 80


def test_a_long_line_is_continued(audit, tmp_path):
    audit.record("study.ended", study_id="s" * 20_000)
    audit.record("study.ended", study_id="s0")
    assert audit.verify() == []
    with (tmp_path / "audit.jsonl").open("a") as file:
        file.write("x" * 10_000)
    assert AuditFile(tmp_path / "audit.jsonl", KEY).verify() == []
    assert len(_lines(tmp_path)) == 7


def test_event_that_a_full_disk_cut_off_is_an_error_and_breaks_nothing(small_disk):
    disk = small_disk("size=128k")
    log = AuditFile(disk.folder / "audit.jsonl", KEY)
    log.record("first")
    ballast = disk.fill(leave=4096)
    refused = 0
    for _ in range(100):
        try:
            log.record("next", padding="x" * 40)
        except StorageFailure:
            refused += 1
    assert 0 < refused < 100
    with pytest.raises(StorageFailure):
        log.record("refused", padding="x" * 4096)
    ballast.unlink()
    log.record("last")
    assert log.verify() == []
    assert [entry["event"] for entry in log.entries()] == ["first", *["next"] * (100 - refused), "last"]
