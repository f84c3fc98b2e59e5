"""C-STORE throughput of the node's receive stack beside Orthanc's, in the same run on the same machine.

    python benchmarks/cstore.py [--instances 200] [--associations 1 4] [--repeats 3] [--json FILE]

Both get the same 512x512 16-bit CT instances (0.5 MB, every UID new in each run) from DCMTK's `storescu
+sd`, one process an association, over loopback with TCP_NODELAY=1. Ours is what `dicom-node serve` puts
together for receiving: `StorageScp`, `ReceiveStage`, encrypted spool, SQLite index, each answer after
fsync. Orthanc is as Debian ships it, with SQLite and SyncStorageArea on. The wall time holds the start of
the storescu processes. After each run the count of stored instances is checked. Repeats alternate between
the two, and the processor time that each server took is measured too: on a shared machine it varies less
than the wall time.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from support.ct_series import COLUMNS, ROWS, template, write_series
from support.servers import Orthanc, Server, free_port

RUN_S = 300
_STOP_SIGNALS = {signal.SIGTERM, signal.SIGINT}


@dataclass(frozen=True, slots=True)
class Measurement:
    """Medians of the repeats: instances a second, and processor time for one (user and system)."""

    associations: int
    instances: int
    orthanc_per_s: float
    node_per_s: float
    ratio: float
    orthanc_cpu_ms: float
    node_cpu_ms: float
    orthanc_runs: list[float]
    node_runs: list[float]


class Node(Server):
    name = "node"

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        super().__init__(
            [sys.executable, __file__, "--serve", str(folder / "data"), "--port", str(self.port)], folder
        )
        self.wait_until(lambda: (folder / "data" / "ready").exists())

    def stored(self) -> int:
        return sum(1 for path in (self.folder / "data" / "spool").rglob("*.dcm"))


def serve(data_dir: Path, port: int) -> None:
    """The receive stack as the application puts it together, without HTTP, workflow and models."""
    from anonymizer.uids import UidMapper
    from dicom_node.app.adapters import SystemClock, UidAdapter
    from dicom_node.dimse.scp import StorageScp
    from dicom_node.index.database import open_database, upgrade
    from dicom_node.index.studies import SqlStudyIndex
    from dicom_node.observability.logging import configure_logging
    from dicom_node.observability.metrics import PrometheusMetrics
    from dicom_node.pipeline.receive import ReceiveStage
    from dicom_node.security.master import load_master_key
    from dicom_node.storage.blobs import EncryptedBlobs
    from dicom_node.storage.keys import KeyStore
    from dicom_node.storage.watermark import DiskWatermark

    # Blocked before threads start, so that they inherit it and only `sigwait` gets the signal.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
    configure_logging("info", "json")
    data_dir.mkdir(parents=True, mode=0o700)
    master = load_master_key(data_dir)
    watermark = DiskWatermark(data_dir, 1 << 30)
    database = open_database(f"sqlite:///{data_dir / 'node.db'}")
    upgrade(database)
    metrics = PrometheusMetrics()
    spool = EncryptedBlobs(
        data_dir / "spool", "spool", KeyStore(data_dir / "keys" / "slots", master), watermark
    )
    receiver = ReceiveStage(
        SqlStudyIndex(database, SystemClock()),
        spool,
        UidAdapter(UidMapper(master.derive("pseudonyms"))),
        watermark,
        metrics,
    )
    scp = StorageScp(host="127.0.0.1", port=port, ae_title="BENCH", receiver=receiver, metrics=metrics)
    scp.start()
    (data_dir / "ready").touch()
    signal.sigwait(_STOP_SIGNALS)
    scp.stop()
    database.dispose()


def measure(server: Orthanc | Node, folders: list[Path], count: int) -> tuple[float, float]:
    """(instances a second, ms of the server's processor time for each), one storescu process a folder."""
    total = count * len(folders)
    before, cpu_before = server.stored(), server.cpu_ms()
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
            raise SystemExit(f"storescu to {server.name} failed: {errors.decode(errors='replace')[-1000:]}")
    elapsed = time.perf_counter() - started
    cpu = server.cpu_ms() - cpu_before
    stored = server.stored() - before
    if stored != total:
        raise SystemExit(f"{server.name} stored {stored} of {total} instances")
    return round(total / elapsed, 1), round(cpu / total, 2)


def run(instances: int, associations: list[int], repeats: int) -> list[Measurement]:
    if shutil.which("storescu") is None:
        raise SystemExit("storescu is missing: install dcmtk")
    pattern = template()
    serial = 0
    found = []
    with tempfile.TemporaryDirectory(prefix="cstore-") as temporary:
        for parallel in associations:
            runs: dict[str, list[tuple[float, float]]] = {"orthanc": [], "node": []}
            for repeat in range(repeats):
                for kind in (Orthanc, Node) if repeat % 2 == 0 else (Node, Orthanc):
                    work = Path(tempfile.mkdtemp(dir=temporary))
                    folders = [work / f"in{number}" for number in range(parallel)]
                    for folder in folders:
                        serial += 1
                        write_series(pattern, folder, instances, serial)
                    os.sync()
                    server = kind(work)
                    try:
                        runs[kind.name].append(measure(server, folders, instances))
                    finally:
                        server.stop()
                    shutil.rmtree(work)
            rate = {name: statistics.median(r for r, _ in done) for name, done in runs.items()}
            cpu = {name: statistics.median(c for _, c in done) for name, done in runs.items()}
            found.append(
                Measurement(
                    associations=parallel,
                    instances=instances,
                    orthanc_per_s=rate["orthanc"],
                    node_per_s=rate["node"],
                    ratio=round(rate["node"] / rate["orthanc"], 2),
                    orthanc_cpu_ms=cpu["orthanc"],
                    node_cpu_ms=cpu["node"],
                    orthanc_runs=[r for r, _ in runs["orthanc"]],
                    node_runs=[r for r, _ in runs["node"]],
                )
            )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--instances", type=int, default=200, help="for each association (at most 2000)")
    parser.add_argument("--associations", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve is not None:
        serve(options.serve, options.port)
        return
    found = run(min(options.instances, 2000), options.associations, options.repeats)
    print(
        f"C-STORE of {ROWS}x{COLUMNS} 16-bit CT, {options.instances} an association,"
        f" median of {options.repeats} runs"
    )
    print("associations  Orthanc/s     node/s  node/Orthanc  Orthanc CPU ms  node CPU ms")
    for one in found:
        print(
            f"{one.associations:>12} {one.orthanc_per_s:>10.1f} {one.node_per_s:>10.1f} {one.ratio:>13.2f}"
            f" {one.orthanc_cpu_ms:>15.2f} {one.node_cpu_ms:>12.2f}"
        )
    text = json.dumps([asdict(one) for one in found], indent=2)
    print(text)
    if options.json is not None:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
