"""Memory of the node while one peer sends a multi-frame instance of 2 GB and 49 others send CT series.

    python benchmarks/large_instance.py [--megabytes 2000] [--associations 50] [--instances 40] [--json FILE]

The node is `dicom-node serve` with its receiver processes. Memory is what all of its processes hold together,
without what they share (PSS): at rest, and at its peak.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from pydicom import dcmread
from pydicom.uid import MultiFrameGrayscaleWordSecondaryCaptureImageStorage
from support.ct_series import template, write_series
from support.process_trees import PeakMemory, cpu_ms, pss_mib
from support.store_servers import Node

RUN_S = 900
FRAME = 512 * 512 * 2


def write_large(path: Path, megabytes: int) -> int:
    """Write a multi-frame instance without holding it; return its bytes."""
    frames = megabytes * 1_000_000 // FRAME
    ds = dcmread(io.BytesIO(template()))
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = (
        MultiFrameGrayscaleWordSecondaryCaptureImageStorage
    )
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"{ds.SOPInstanceUID[:40]}.77"
    ds.NumberOfFrames = frames
    ds.PixelData = b""
    header = io.BytesIO()
    ds.save_as(header, enforce_file_format=True)
    frame = os.urandom(FRAME)
    with path.open("wb") as file:
        # Pixel Data is the last element: its length is the last field.
        file.write(header.getvalue()[:-4] + (frames * FRAME).to_bytes(4, "little"))
        for _ in range(frames):
            file.write(frame)
    return path.stat().st_size


def storescu(port: int, *what: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["storescu", "-aec", "BENCH", "127.0.0.1", str(port), *what],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "TCP_NODELAY": "1"},
    )


def run(megabytes: int, associations: int, instances: int) -> dict[str, float]:
    if shutil.which("storescu") is None:
        raise SystemExit("storescu is missing: install dcmtk")
    pattern = template()
    with tempfile.TemporaryDirectory(prefix="large-") as temporary:
        work = Path(temporary)
        size = write_large(work / "large.dcm", megabytes)
        folders = [work / f"in{number}" for number in range(associations - 1)]
        for serial, folder in enumerate(folders):
            write_series(pattern, folder, instances, serial + 1)
        os.sync()
        node = Node(work)
        try:
            node.wait_until_quiet()
            rest, cpu = pss_mib(node.process.pid), cpu_ms(node.process.pid)
            with PeakMemory(node.process.pid) as memory:
                started = time.perf_counter()
                large = storescu(node.port, str(work / "large.dcm"))
                others = [storescu(node.port, "+sd", str(folder)) for folder in folders]
                for client in (large, *others):
                    _, errors = client.communicate(timeout=RUN_S)
                    if client.returncode:
                        raise SystemExit(f"storescu failed: {errors.decode(errors='replace')[-1000:]}")
                elapsed = time.perf_counter() - started
            stored = node.stored()
            if stored != 1 + instances * len(folders):
                raise SystemExit(f"{stored} of {1 + instances * len(folders)} instances are stored")
            return {
                "associations": associations,
                "large_mb": round(size / 1e6),
                "instances": stored,
                "at_rest_mib": round(rest),
                "peak_mib": round(memory.mib),
                "grown_mib": round(memory.mib - rest),
                "seconds": round(elapsed, 1),
                "mb_per_s": round((size + instances * len(folders) * len(pattern)) / elapsed / 1e6),
                "cpu_s": round((cpu_ms(node.process.pid) - cpu) / 1000, 1),
            }
        finally:
            node.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=2000, help="of the large instance")
    parser.add_argument("--associations", type=int, default=50)
    parser.add_argument("--instances", type=int, default=40, help="of each of the others")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    text = json.dumps(run(options.megabytes, options.associations, options.instances), indent=2)
    print(text)
    if options.json is not None:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
