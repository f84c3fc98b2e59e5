"""`dicom-node demo`, as `make demo` starts it."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from processes import Child, eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

DICOM_NODE = Path(sys.executable).with_name("dicom-node")


def test_demo_runs_shows_everything_and_runs_again(tmp_path):
    """The second run finds the first one's data, stays in the foreground, and ends with Ctrl-C."""
    first = subprocess.run(
        [DICOM_NODE, "demo", "--once"], cwd=tmp_path, capture_output=True, text=True, timeout=400, check=False
    )
    assert first.returncode == 0, first.stdout + first.stderr
    for wanted in (
        r"Intracranial volume \d{4} mL",
        r"confidence 0\.\d\d",
        r"mr-brain-extraction [\d.]+: done",
        r"SR .* 1 ",
        r"SEG .* 1 ",
        r"SC .* 256 ",
        "files deleted, key destroyed",
        r"StudyInstanceUIDs=2\.25\.\d{30,}$",
        "Research use only",
    ):
        assert re.search(wanted, first.stdout, re.MULTILINE), (wanted, first.stdout)

    second = Child([DICOM_NODE, "demo"], tmp_path / "second.log", cwd=tmp_path)
    try:
        second.wait_until(lambda: "The node keeps running" in second.output, 400)
        dashboard = re.search(r"Dashboard (\S+)", second.output).group(1)
        page = httpx.get(dashboard, trust_env=False)
        assert page.status_code == 200
        studies = httpx.get(f"{dashboard}api/studies", trust_env=False).json()["studies"]
        node_log = (tmp_path / "data" / "demo.log").read_text(encoding="utf-8")
        assert [study["state"] for study in studies] == ["done", "done"], (
            second.output,
            studies,
            node_log[-6000:],
        )
        second.process.send_signal(signal.SIGINT)
        second.process.wait(120)
    finally:
        second.stop()

    def gone():
        try:
            httpx.get(dashboard, trust_env=False)
        except httpx.TransportError:
            return True
        return False

    eventually(gone, 10, "the node's end")
