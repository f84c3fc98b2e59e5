"""Delivery by C-STORE to Orthanc: the node's sender beside DCMTK's storescu, in one run on one machine.

    python benchmarks/delivery.py [--instances 200] [--associations 1 4] [--repeats 3] [--json FILE]

The node's sender is what delivers results (`dimse.result_sender`), each association in a thread of its own,
as the node's delivery workers are; storescu is one process an association. Both send 512x512 16-bit CT
instances (0.5 MB) from files to an Orthanc of their own with SyncStorageArea on. Python's start is not
measured, that of storescu (some 10 ms) is. After each run the count that Orthanc stored is checked.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from support.ct_series import template, write_series
from support.servers import Orthanc

RUN_S = 600


@dataclass(frozen=True, slots=True)
class Measurement:
    """Medians of the repeats: instances a second, and the sender's processor time for one."""

    associations: int
    sender: str
    per_s: float
    mb_per_s: float
    cpu_ms: float
    runs: list[float]


def send(folders: list[Path], port: int) -> None:
    """Send each folder over an association of its own; print seconds and processor seconds."""
    from dicom_node.dimse.association import Address
    from dicom_node.dimse.result_sender import DimseSender
    from dicom_node.domain.delivery import OutgoingObject
    from dicom_node.domain.destination import Destination
    from dicom_node.pipeline.header import read_header

    sender = DimseSender(Destination("orthanc"), Address("127.0.0.1", port, "BENCH", "NODE"))

    def outgoing(path: Path) -> OutgoingObject:
        with path.open("rb") as stream:
            uid = read_header(stream).sop_instance_uid
        return OutgoingObject(CTImageStorage, uid, (ExplicitVRLittleEndian,), lambda _: path.read_bytes())

    def one(objects: list[OutgoingObject]) -> None:
        report = sender.send(objects)
        if report.failures:
            raise SystemExit(f"not all were taken: {next(iter(report.failures.values()))}")

    lots = [[outgoing(path) for path in sorted(folder.iterdir())] for folder in folders]
    started, cpu = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(len(folders)) as threads:
        list(threads.map(one, lots))
    print(time.perf_counter() - started, time.process_time() - cpu)


def by_node(folders: list[Path], port: int) -> tuple[float, float]:
    command = [sys.executable, __file__, "--port", str(port), "--send", *map(str, folders)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_S, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    seconds, cpu = map(float, done.stdout.split())
    return seconds, cpu


def by_storescu(folders: list[Path], port: int) -> tuple[float, float]:
    before = os.times()
    started = time.perf_counter()
    clients = [
        subprocess.Popen(
            ["storescu", "+sd", "-aec", "BENCH", "127.0.0.1", str(port), str(folder)],
            stdout=subprocess.DEVNULL,
            env={**os.environ, "TCP_NODELAY": "1"},
        )
        for folder in folders
    ]
    if any(client.wait(RUN_S) for client in clients):
        raise SystemExit("storescu failed")
    seconds = time.perf_counter() - started
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return seconds, used


SENDERS = {"node": by_node, "storescu": by_storescu}


def run(instances: int, associations: list[int], repeats: int) -> list[Measurement]:
    if shutil.which("storescu") is None:
        raise SystemExit("storescu is missing: install dcmtk")
    pattern = template()
    serial = 0
    found = []
    with tempfile.TemporaryDirectory(prefix="delivery-") as temporary:
        for parallel in associations:
            runs: dict[str, list[tuple[float, float]]] = {name: [] for name in SENDERS}
            for repeat in range(repeats):
                names = list(SENDERS) if repeat % 2 == 0 else list(SENDERS)[::-1]
                for name in names:
                    work = Path(tempfile.mkdtemp(dir=temporary))
                    folders = [work / f"out{number}" for number in range(parallel)]
                    for folder in folders:
                        serial += 1
                        write_series(pattern, folder, instances, serial)
                    os.sync()
                    server = Orthanc(work)
                    try:
                        seconds, cpu = SENDERS[name](folders, server.port)
                        total = instances * parallel
                        if server.stored() != total:
                            raise SystemExit(f"Orthanc stored {server.stored()} of {total}")
                        runs[name].append((total / seconds, cpu / total * 1000))
                    finally:
                        server.stop()
                    shutil.rmtree(work)
            for name, done in runs.items():
                rate = statistics.median(one for one, _ in done)
                found.append(
                    Measurement(
                        associations=parallel,
                        sender=name,
                        per_s=round(rate, 1),
                        mb_per_s=round(rate * len(pattern) / 1e6, 1),
                        cpu_ms=round(statistics.median(cpu for _, cpu in done), 2),
                        runs=[round(one, 1) for one, _ in done],
                    )
                )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--instances", type=int, default=200, help="for each association (at most 2000)")
    parser.add_argument("--associations", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    parser.add_argument("--send", type=Path, nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.send:
        send(options.send, options.port)
        return
    found = run(min(options.instances, 2000), options.associations, options.repeats)
    print(f"C-STORE of 512x512 16-bit CT to Orthanc, median of {options.repeats} runs")
    print(f"{'associations':>12} {'sender':>9} {'instances/s':>12} {'MB/s':>6} {'CPU ms each':>12}")
    for one in found:
        print(
            f"{one.associations:>12} {one.sender:>9} {one.per_s:>12.0f} {one.mb_per_s:>6.0f}"
            f" {one.cpu_ms:>12.2f}"
        )
    text = json.dumps([asdict(one) for one in found], indent=2)
    if options.json is not None:
        options.json.write_text(text + "\n")
    else:
        print(text)


if __name__ == "__main__":
    main()
