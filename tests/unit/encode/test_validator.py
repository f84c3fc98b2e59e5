import os
import sys

import pytest

from inference.encode.checks.program import Validator


@pytest.fixture
def program(tmp_path):
    """A program that prints what it is told to."""

    def make(body):
        path = tmp_path / "validator"
        path.write_text(f"#!{sys.executable}\nimport sys, time\n{body}\n")
        path.chmod(0o700)
        return str(path)

    return make


def test_only_lines_that_start_with_error_count_and_quoted_values_are_cut(program):
    validator = Validator(
        program(
            "print('Warning - odd', file=sys.stderr)\n"
            "print('Error - Value invalid for this VR - (0x0010,0x0010) [0] = <Doe^Jane>', file=sys.stderr)\n"
            "print('Error - Missing attribute Element=<Rows> Module=<ImagePixel>', file=sys.stderr)"
        )
    )
    lines = validator.errors(b"object")
    assert len(lines) == 2
    assert "Doe" not in lines[0]
    assert lines[1] == "dciodvfy: Error - Missing attribute Element=<Rows> Module=<ImagePixel>"


def test_program_reads_the_object_from_a_file_that_it_can_seek_in(program):
    validator = Validator(
        program(
            "data = sys.stdin.buffer; data.seek(2); print('Error', data.read().decode(), file=sys.stderr)"
        )
    )
    assert validator.errors(b"01one") == ["dciodvfy: Error one"]


def test_program_that_hangs_says_nothing(program):
    assert Validator(program("time.sleep(30)"), timeout_s=0.3).errors(b"object") == []


def test_missing_program_says_nothing():
    validator = Validator("no-such-program-" + str(os.getpid()))
    assert not validator.present
    assert validator.errors(b"object") == []
