"""CI may not skip what it could have installed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SAMPLE = """
import pytest

def test_needs():
    pytest.skip("needs orthanc")

@pytest.fixture
def peer():
    pytest.skip("needs dcmtk")

def test_fixture_needs(peer):
    pass

def test_other():
    pytest.skip("a platform without it")
"""


@pytest.fixture
def run_sample(tmp_path):
    conftest = (Path(__file__).parents[1] / "conftest.py").read_text(encoding="utf-8")
    (tmp_path / "conftest.py").write_text(conftest.replace("pytest_plugins", "no_plugins"), encoding="utf-8")
    (tmp_path / "test_sample.py").write_text(SAMPLE, encoding="utf-8")

    def run(ci):
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
            cwd=tmp_path,
            env={**os.environ, "CI": ci},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_skips_for_want_of_a_package_fail_in_ci(run_sample):
    done = run_sample("true")
    assert done.returncode == 1
    assert "needs orthanc: CI installs it" in done.stdout
    assert "1 failed, 1 skipped, 1 error" in done.stdout


def test_skips_are_skips_elsewhere(run_sample):
    done = run_sample("")
    assert done.returncode == 0
    assert "3 skipped" in done.stdout
