import json
import subprocess
import sys

import pytest
import structlog

from dicom_node.observability.logging import configure_logging


@pytest.fixture(autouse=True)
def restored_logging():
    """Logging writes to a stream of the test: later tests must not find it closed."""
    yield
    structlog.reset_defaults()


def _captured(capsys, **fields):
    configure_logging("info", "json")
    structlog.get_logger("test").info("stage.done", **fields)
    return json.loads(capsys.readouterr().err)


def test_key_off_the_list_is_dropped_and_counted(capsys):
    line = _captured(capsys, study_id="s1", patient_name="CANARY^JANE", elapsed_ms=3)
    assert "CANARY" not in json.dumps(line)
    assert line["count_dropped_keys"] == 1
    assert (line["study_id"], line["elapsed_ms"]) == ("s1", 3)


def test_level_below_the_setting_is_silent(capsys):
    configure_logging("warning", "json")
    structlog.get_logger("test").info("stage.done")
    assert capsys.readouterr().err == ""


def test_console_style_is_readable(capsys):
    configure_logging("info", "console")
    structlog.get_logger("test").info("node.started", port=11112)
    assert "node.started" in capsys.readouterr().err


def test_warning_of_a_library_does_not_show_the_value_that_it_is_about(tmp_path):
    script = (
        "from dicom_node.observability.logging import configure_logging; configure_logging('info', 'json');"
        "from pydicom.uid import UID; UID('CANARY^JANE')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)
    assert done.stderr == ""
