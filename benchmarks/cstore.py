"""C-STORE throughput beside Orthanc, DCMTK's storescp and pynetdicom's, in one run on one machine.

    python benchmarks/cstore.py [--instances 300] [--associations 1 4 16] [--repeats 3] [--only node orthanc]
                                [--receivers auto] [--json FILE]

All get the same 512x512 16-bit CT instances (0.5 MB, every UID new in each run) from DCMTK's `storescu
+sd`, one process an association, over loopback with TCP_NODELAY=1. The node is `dicom-node serve` with its
receiver processes, encrypted spool, SQLite index, each answer after fsync of bytes and index. Orthanc is as
Debian ships it, with SQLite and SyncStorageArea on. storescp and pynetdicom's storescp write files without
fsync and keep no index: they show what the network alone allows.

The wall time holds the start of the storescu processes. After each run the count of stored instances is
checked. Repeats take the servers in turn, as a shared machine is not the same from one minute to the next.
Processor time and memory are those of all processes of a server together, memory without what they share
(PSS), at its peak, the processes at rest included.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from support.ct_series import COLUMNS, ROWS, template, write_series
from support.process_trees import PeakMemory, cpu_ms
from support.store_servers import SERVERS, Node

if TYPE_CHECKING:
    from support.servers import Server

RUN_S = 600


@dataclass(frozen=True, slots=True)
class Run:
    """One server, one run."""

    per_s: float
    mb_per_s: float
    cpu_ms: float
    peak_mib: float


@dataclass(frozen=True, slots=True)
class Measurement:
    """Medians of the repeats, a second, and for one instance; `runs` holds every rate."""

    associations: int
    server: str
    instances: int
    per_s: float
    mb_per_s: float
    cpu_ms: float
    peak_mib: float
    runs: list[float]


def measure(server: Server, folders: list[Path], count: int, size: int) -> Run:
    """Send from all folders at once, one storescu process each."""
    total = count * len(folders)
    before, cpu_before = server.stored(), cpu_ms(server.process.pid)
    with PeakMemory(server.process.pid) as memory:
        started = time.perf_counter()
        clients = [
            subprocess.Popen(
                ["storescu", "+sd", "-aec", "BENCH", "127.0.0.1", str(server.port), str(folder)],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env={**os.environ, "TCP_NODELAY": "1"},
            )
            for folder in folders
        ]
        for client in clients:
            _, errors = client.communicate(timeout=RUN_S)
            if client.returncode:
                raise SystemExit(
                    f"storescu to {server.name} failed: {errors.decode(errors='replace')[-1000:]}"
                )
        elapsed = time.perf_counter() - started
    cpu = cpu_ms(server.process.pid) - cpu_before
    stored = server.stored() - before
    if stored != total:
        raise SystemExit(f"{server.name} stored {stored} of {total} instances")
    return Run(total / elapsed, total * size / elapsed / 1e6, cpu / total, memory.mib)


def run(
    names: list[str], instances: int, associations: list[int], repeats: int, receivers: str
) -> list[Measurement]:
    if shutil.which("storescu") is None:
        raise SystemExit("storescu is missing: install dcmtk")
    pattern = template()
    serial = 0
    found = []
    with tempfile.TemporaryDirectory(prefix="cstore-") as temporary:
        for parallel in associations:
            each = max(instances // parallel * 2, 50) if parallel > 1 else instances
            runs: dict[str, list[Run]] = {name: [] for name in names}
            for repeat in range(repeats):
                turn = repeat % len(names)
                for name in names[turn:] + names[:turn]:
                    work = Path(tempfile.mkdtemp(dir=temporary))
                    folders = [work / f"in{number}" for number in range(parallel)]
                    for folder in folders:
                        serial += 1
                        write_series(pattern, folder, each, serial)
                    os.sync()
                    server = Node(work, receivers=receivers) if name == "node" else SERVERS[name](work)
                    try:
                        if name == "node":
                            server.wait_until_quiet()
                        runs[name].append(measure(server, folders, each, len(pattern)))
                    finally:
                        server.stop()
                    shutil.rmtree(work)
            for name, done in runs.items():
                middle = {
                    key: round(statistics.median(getattr(one, key) for one in done), 2)
                    for key in ("per_s", "mb_per_s", "cpu_ms", "peak_mib")
                }
                rates = [round(one.per_s, 1) for one in done]
                found.append(Measurement(parallel, name, each * parallel, **middle, runs=rates))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--instances", type=int, default=300, help="on one association; twice that on several"
    )
    parser.add_argument("--associations", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=sorted(SERVERS), default=list(SERVERS))
    parser.add_argument("--receivers", default="auto", help="dimse.receivers of the node")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    found = run(
        options.only, min(options.instances, 2000), options.associations, options.repeats, options.receivers
    )
    median = f"median of {options.repeats} runs, {os.cpu_count()} processors"
    print(f"C-STORE of {ROWS}x{COLUMNS} 16-bit CT, {median}")
    print("associations      server instances/s    MB/s  CPU ms each  peak MiB")
    for one in found:
        print(
            f"{one.associations:>12} {one.server:>11} {one.per_s:>11.0f} {one.mb_per_s:>7.0f}"
            f" {one.cpu_ms:>12.2f} {one.peak_mib:>9.0f}"
        )
    text = json.dumps([asdict(one) for one in found], indent=2)
    if options.json is not None:
        options.json.write_text(text + "\n")
    else:
        print(text)


if __name__ == "__main__":
    main()
