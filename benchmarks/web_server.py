"""The node's DICOMweb server beside Orthanc's, in the same run on the same machine.

    python benchmarks/web_server.py [--only store search metadata frames memory] [--studies 100 10000]

Both are real processes on loopback: `dicom-node serve` (SQLite, encrypted stores, answers after fsync)
and Debian's Orthanc with its DICOMweb plugin (SQLite, SyncStorageArea on, 50 HTTP threads). Clients are
plain keep-alive connections in processes of their own, the same for both. What is measured:

- store: STOW-RS, one 512x512 16-bit CT instance (0.5 MB) a request, instances a second, serial and with 4
  clients.
- search: QIDO-RS, p50 and p95 in ms of seven requests, at 100 and at 10,000 studies.
- metadata: a series of 500 CT instances as DICOM JSON, ms.
- frames: the frames of that series as octets, one a request, frames a second, serial and with 4 clients; and
  the whole series as application/dicom, MB a second.
- memory: peak resident memory of the server while a study of 4,000 such instances (2.1 GB) streams in by
  one STOW-RS request, and out by one WADO-RS request; and what it held before.

For everything but `store` the node's content lies in its sealed work area, as de-identified inputs do.
Orthanc holds the same files, stored as they are.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from support.ct_series import (
    COLUMNS,
    ROWS,
    instance_uids,
    instances,
    series_uids,
    small_studies,
    small_uids,
    template,
)
from support.servers import Orthanc
from support.web_load import Client, at_once, percentiles, timed
from support.web_node import Node, fill

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

JSON = "application/dicom+json"
DICOM = 'multipart/related; type="application/dicom"; transfer-syntax=*'
OCTETS = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'
SERIES = 500
MEMORY = 4000
CLIENTS = 4
REPEATS = 3
SECTIONS = ("store", "search", "metadata", "frames", "memory")
_HEADINGS = {"per_s": "/s", "ms": "ms", "mib": "MiB", "mb_per_s": "MB/s"}


class Figures:
    """Rows of (section, what, unit, Orthanc, node); for `ms` and `mib` less is better."""

    def __init__(self) -> None:
        self.rows: list[dict[str, object]] = []

    def add(self, section: str, what: str, unit: str, found: dict[str, float]) -> None:
        orthanc, node = found["orthanc"], found["node"]
        better = orthanc / node if unit in {"ms", "mib"} else node / orthanc
        row = {"section": section, "what": what, "unit": unit, "orthanc": round(orthanc, 2)}
        self.rows.append(row | {"node": round(node, 2), "node_better_by": round(better, 2)})
        print(
            f"{section:9} {what:44} {orthanc:10.2f} {node:10.2f} {_HEADINGS[unit]:5} x{better:.2f}",
            flush=True,
        )


def start(
    kind: type[Orthanc] | type[Node], folder: Path, content: Callable[[], Iterable[bytes]]
) -> Orthanc | Node:
    """A server in a folder that holds this content."""
    folder.mkdir()
    if kind is Node:
        fill(folder / "data", content())
        node = Node(folder)
        node.wait_until_quiet()
        return node
    server = Orthanc(folder, dicomweb=True)
    client = Client(f"http://127.0.0.1:{server.http_port}")
    for data in content():
        status, _ = client.ask("POST", "/instances", data, Content_Type="application/dicom")
        if status != 200:
            raise SystemExit(f"Orthanc answered {status} to an upload")
    return server


def store_many(root: str, serial: int, count: int) -> None:
    """One client of the `store` section."""
    client = Client(root)
    for data in instances(template(), count, serial):
        client.stow(data)


def store(work: Path, figures: Figures) -> None:
    serial = 0
    for clients in (1, CLIENTS):
        rates: dict[str, list[float]] = {"orthanc": [], "node": []}
        for repeat in range(REPEATS):
            for kind in (Orthanc, Node) if repeat % 2 == 0 else (Node, Orthanc):
                folder = work / f"store-{clients}-{repeat}-{kind.name}"
                server = start(kind, folder, list)
                try:
                    given = []
                    for _ in range(clients):
                        serial += 1
                        given.append((server.dicomweb_url, serial, 200))
                    rates[kind.name].append(200 * clients / at_once(store_many, given))
                finally:
                    server.stop()
                    shutil.rmtree(folder)
        found = {name: statistics.median(runs) for name, runs in rates.items()}
        figures.add("store", f"STOW-RS, {clients} client{'s' if clients > 1 else ''}", "per_s", found)


def search(work: Path, figures: Figures, sizes: Iterable[int]) -> None:
    for size in sizes:
        found: dict[str, dict[str, tuple[float, float]]] = {}
        for kind in (Orthanc, Node):
            folder = work / f"search-{size}-{kind.name}"
            server = start(kind, folder, lambda size=size: small_studies(size))
            try:
                client = Client(server.dicomweb_url)
                study, series = small_uids(size // 2)
                requests = {
                    "study list of a viewer, 101": "/studies?limit=101&offset=0&fuzzymatching=false"
                    "&includefield=00081030,00080060,00080090,00100030",
                    "PatientID": f"/studies?PatientID=P{size // 2:06d}",
                    "PatientName=*ARC*, 101": "/studies?PatientName=*ARC*&limit=101",
                    "StudyDate, a week": "/studies?StudyDate=20240301-20240307&limit=101",
                    "ModalitiesInStudy and month": "/studies?ModalitiesInStudy=MR&StudyDate=20240201-20240229"
                    "&limit=101",
                    "series of a study": f"/studies/{study}/series",
                    "instances of a series": f"/studies/{study}/series/{series}/instances",
                }
                found[kind.name] = {
                    what: percentiles(timed(partial(client.get, path, JSON), most=200, limit_s=15))
                    for what, path in requests.items()
                }
            finally:
                server.stop()
                shutil.rmtree(folder)
        for what in found["node"]:
            for index, name in enumerate(("p50", "p95")):
                figures.add(
                    "search",
                    f"{size} studies: {what}, {name}",
                    "ms",
                    {k: v[what][index] for k, v in found.items()},
                )


def ask_frames(root: str, paths: list[str]) -> None:
    """One client of the `frames` section."""
    client = Client(root)
    for path in paths:
        if client.get(path, OCTETS) < ROWS * COLUMNS * 2:
            raise SystemExit("a frame is too short")


def retrieve(work: Path, figures: Figures, sections: set[str]) -> None:
    found: dict[str, dict[str, float]] = {}
    pattern = template()
    for kind in (Orthanc, Node):
        folder = work / f"retrieve-{kind.name}"
        server = start(kind, folder, lambda: instances(pattern, SERIES, 1))
        try:
            study, series = series_uids(1)
            base = f"/studies/{study}/series/{series}"
            client = Client(server.dicomweb_url)
            mine: dict[str, float] = {}
            if "metadata" in sections:
                begun = time.perf_counter()
                client.get(base + "/metadata", JSON)
                mine["metadata of 500, first time"] = (time.perf_counter() - begun) * 1000
                again = timed(partial(client.get, base + "/metadata", JSON), most=15, limit_s=60)
                mine["metadata of 500, then"] = statistics.median(again)
            if "frames" in sections:
                paths = [f"{base}/instances/{uid}/frames/1" for uid in instance_uids(SERIES, 1)]
                for clients in (1, CLIENTS):
                    shares = [(server.dicomweb_url, paths[n::clients]) for n in range(clients)]
                    runs = [len(paths) / at_once(ask_frames, shares) for _ in range(REPEATS)]
                    mine[f"frames, {clients} client{'s' if clients > 1 else ''}"] = statistics.median(runs)
                client = Client(server.dicomweb_url)  # a server may close one that was idle meanwhile
                begun = time.perf_counter()
                size = client.get(base, DICOM)
                mine["whole series"] = size / 1e6 / (time.perf_counter() - begun)
            found[kind.name] = mine
        finally:
            server.stop()
            shutil.rmtree(folder)
    for what in found["node"]:
        unit = "ms" if what.startswith("metadata") else "mb_per_s" if what.startswith("whole") else "per_s"
        section = "metadata" if unit == "ms" else "frames"
        figures.add(section, what, unit, {name: values[what] for name, values in found.items()})


def memory(work: Path, figures: Figures, count: int) -> None:
    found: dict[str, dict[str, float]] = {}
    pattern = template()
    for kind in (Orthanc, Node):
        mine: dict[str, float] = {}
        folder = work / f"memory-{kind.name}"
        server = start(kind, folder, list)
        try:
            server.reset_peak()
            mine["before"] = server.peak_mib()
            begun = time.perf_counter()
            Client(server.dicomweb_url).stow_stream(instances(pattern, count, 7), len(pattern), count)
            mine["rate in"] = len(pattern) * count / 1e6 / (time.perf_counter() - begun)
            mine[f"{count} instances in"] = server.peak_mib()
        finally:
            server.stop()
            shutil.rmtree(folder)
        server = start(kind, folder, lambda: instances(pattern, count, 8))
        try:
            server.reset_peak()
            begun = time.perf_counter()
            size = Client(server.dicomweb_url).get(f"/studies/{series_uids(8)[0]}", DICOM)
            mine["rate out"] = size / 1e6 / (time.perf_counter() - begun)
            mine[f"{count} instances out"] = server.peak_mib()
        finally:
            server.stop()
            shutil.rmtree(folder)
        found[kind.name] = mine
    for what in found["node"]:
        unit = "mb_per_s" if what.startswith("rate") else "mib"
        figures.add("memory", what, unit, {name: values[what] for name, values in found.items()})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=SECTIONS)
    parser.add_argument("--studies", type=int, nargs="+", default=[100, 10_000], help="at most 20000")
    parser.add_argument("--memory-instances", type=int, default=MEMORY, help="at most 8000")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    sections = set(options.only)
    figures = Figures()
    print(f"{'':54} {'Orthanc':>10} {'node':>10}       node better by")
    with tempfile.TemporaryDirectory(prefix="dicomweb-") as temporary:
        work = Path(temporary)
        if "store" in sections:
            store(work, figures)
        if "search" in sections:
            search(work, figures, [min(size, 20_000) for size in options.studies])
        if sections & {"metadata", "frames"}:
            retrieve(work, figures, sections)
        if "memory" in sections:
            memory(work, figures, min(options.memory_instances, 8000))
    if options.json is not None:
        options.json.write_text(json.dumps(figures.rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
