"""The set-up scripts on machines that lack something."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
TOOLS = ("bash", "cat", "dirname", "env", "grep", "mktemp", "rm", "sed", "cksum", "id")


@pytest.fixture
def clone(tmp_path):
    """A folder with the scripts and what they read, on a machine that has few programs."""
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    for name in ("pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in TOOLS:
        (programs / name).symlink_to(shutil.which(name))
    return tmp_path


def run(clone, script, *arguments, **variables):
    return subprocess.run(
        [clone / "scripts" / script, *arguments],
        cwd=clone,
        env={"PATH": str(clone / "programs"), "HOME": str(clone), **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_set_up_without_python_says_what_to_install(clone):
    done = run(clone, "setup.sh")
    assert done.returncode != 0
    assert "Python 3.11 or newer is needed" in done.stderr
    assert not (clone / ".venv").exists()


def test_set_up_that_was_done_does_nothing(clone):
    """The stamp of pyproject.toml, lock file and script decides."""
    (clone / ".venv" / "bin").mkdir(parents=True)
    (clone / ".venv" / "bin" / "python").symlink_to(sys.executable)
    torch = next(
        line for line in (clone / "requirements.lock").read_text().splitlines() if line.startswith("torch==")
    )
    stamp = subprocess.run(
        f"cat pyproject.toml requirements.lock scripts/setup.sh <(echo '{torch} ') | cksum",
        shell=True,
        executable="/bin/bash",
        cwd=clone,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    (clone / ".venv" / ".installed-dev").write_text(stamp + "\n")
    done = run(clone, "setup.sh", "--dev", PYTHONPATH=str(ROOT))
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_viewer_without_npm_is_missing_and_says_how_to_add_it(clone):
    (clone / ".venv" / "bin").mkdir(parents=True)
    (clone / ".venv" / "bin" / "python").symlink_to(sys.executable)
    done = run(clone, "install-viewer.sh", "--to", str(clone / "ohif"), PYTHONPATH=str(ROOT))
    assert done.returncode == 0
    assert "npm is not installed" in done.stderr
    assert "install Node.js" in done.stderr


def test_debian_packages_elsewhere_are_no_failure(clone):
    done = run(clone, "install-debian-packages.sh")
    assert done.returncode == 0
    assert "No Debian here" in done.stdout


def test_debian_packages_without_root_are_named(clone):
    for name, output in (("dpkg-query", "not-installed"), ("apt-get", ""), ("id", "1000")):
        program = clone / "programs" / name
        program.unlink(missing_ok=True)
        program.write_text(f"#!{shutil.which('bash')}\necho {output}\n")
        program.chmod(0o755)
    done = run(clone, "install-debian-packages.sh")
    assert done.returncode == 0
    assert "sudo apt-get install orthanc orthanc-dicomweb" in done.stdout
