"""`python -m dicom_node.demo FOLDER`: writes the demo's series as DICOM files, to send from elsewhere."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from dicom_node.demo.series import build_t1_series
from dicom_node.domain.errors import NodeError

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files; returns the exit code (0 done, 1 failed)."""
    parser = argparse.ArgumentParser(prog="python -m dicom_node.demo", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the files go; made if it is not there")
    folder = parser.parse_args(arguments).folder
    count = 0
    try:
        for count, ds in enumerate(build_t1_series(), start=1):
            folder.mkdir(parents=True, exist_ok=True)
            ds.save_as(folder / f"{count:04}.dcm", enforce_file_format=True)
    except (NodeError, OSError) as exc:
        sys.stderr.write(f"{exc}\n")
        return 1
    sys.stdout.write(f"{count} files in {folder}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
