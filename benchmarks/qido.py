"""QIDO-RS searches on a large catalogue: milliseconds of each kind of request, on SQLite and PostgreSQL.

    python benchmarks/qido.py [--studies 1000] [--instances 50000] [--requests 40] [--database sqlite]
                              [--database postgresql] [--folder DIR] [--url URL] [--json FILE]

The catalogue is filled with invented studies (two to five series, CT headers of some 70 attributes), by
`SqlCatalog.publish` as the pipeline does: 10,000 studies of 1,000,000 instances take five minutes and 5 GB
for each database, the defaults seconds. Each kind of request is then asked with values drawn at random (the
same for each database), first of `SqlCatalog.search`, then over HTTP of a uvicorn process of its own with
one connection; both include what makes the response. On a shared machine the processor time of the asking
process, beside, varies less than the wall time; PostgreSQL's server is not in it. With `--folder` a filled
SQLite database is kept and used again, with `--url` any other.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import httpx
from support.catalogue import Drawn, fill, requests_of

from dicom_node.index.catalog import SqlCatalog
from dicom_node.index.database import open_database, upgrade
from dicomweb.qido.encoding import encode_row
from dicomweb.qido.parameters import parse_search
from dicomweb.qido.router import RESOURCES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dicom_node.domain.catalog import QueryLevel

_SUPPORT = Path(__file__).resolve().parents[1] / "tests" / "support"
_START_S = 60


@dataclass(frozen=True, slots=True)
class Measurement:
    """Milliseconds of one kind of request."""

    database: str
    way: str
    kind: str
    rows: int
    p50_ms: float
    p95_ms: float
    cpu_ms: float


class Server:
    """`support/search_server.py` on a database, in a process of its own."""

    def __init__(self, url: str) -> None:
        program = Path(__file__).parent / "support" / "search_server.py"
        self._process = subprocess.Popen(
            [sys.executable, str(program), url], stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        if not self.url:
            raise SystemExit("the server did not start")

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=_START_S)


def level_of(path: str) -> tuple[QueryLevel, dict[str, str]]:
    """Level of a resource's path, and the UIDs in it."""
    pieces = path.strip("/").split("/")
    for template, level in RESOURCES:
        names = template.strip("/").split("/")
        if len(names) == len(pieces) and all(
            name == piece or name.startswith("{") for name, piece in zip(names, pieces, strict=True)
        ):
            uids = {n.strip("{}"): p for n, p in zip(names, pieces, strict=True) if n.startswith("{")}
            return level, uids
    raise SystemExit(f"no resource: {path}")


def measure(
    database: str, way: str, drawn: Drawn, requests: int, ask: Callable[[str, dict[str, str]], int]
) -> Iterator[Measurement]:
    """Ask each kind of request; the first of each kind is not counted."""
    for kind, make in requests_of(drawn).items():
        chosen = random.Random(kind)
        times, processor = [], []
        rows = 0
        for number in range(requests + 1):
            path, parameters = make(chosen)
            start, used = time.perf_counter(), time.process_time()
            rows = ask(path, parameters)
            if number:
                times.append((time.perf_counter() - start) * 1e3)
                processor.append((time.process_time() - used) * 1e3)
        medians = (round(statistics.median(figures), 2) for figures in (times, processor))
        p95 = round(statistics.quantiles(times, n=20)[18], 2)
        yield Measurement(database, way, kind, rows, next(medians), p95, next(medians))


def run(name: str, url: str, options: argparse.Namespace) -> list[Measurement]:
    """Fill a database where it is empty, and measure."""
    engine = open_database(url)
    upgrade(engine)
    catalog = SqlCatalog(engine)
    drawn = fill(catalog, engine, options.studies, options.instances)

    def search(path: str, parameters: dict[str, str]) -> int:
        level, uids = level_of(path)
        asked = parse_search(level, parameters.items(), **uids)
        return len(
            [encode_row(row, asked, "http://node/dicom-web") for row in catalog.search(asked.query).rows]
        )

    print(f"\n{name}: {drawn.summary}")
    # As the node does when it is up: see `dicom_node.app.http`.
    gc.freeze()
    found = []
    for one in measure(name, "direct", drawn, options.requests, search):
        found.append(one)
        show(one)
    server = Server(url)
    try:
        with httpx.Client(base_url=server.url, timeout=60) as client:

            def get(path: str, parameters: dict[str, str]) -> int:
                response = client.get(f"/dicom-web{path}?{urlencode(parameters)}")
                response.raise_for_status()
                return len(response.json()) if response.content else 0

            for one in measure(name, "http", drawn, options.requests, get):
                found.append(one)
                show(one)
    finally:
        server.stop()
    engine.dispose()
    return found


def show(one: Measurement) -> None:
    """Print a line of the table."""
    mark = "" if one.p95_ms < 20 else "  over 20 ms"
    print(
        f"{one.database:11}{one.way:8}{one.kind:44}{one.rows:6} rows"
        f"  p50 {one.p50_ms:8.2f} ms  p95 {one.p95_ms:8.2f} ms  cpu {one.cpu_ms:7.2f} ms{mark}",
        flush=True,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--instances", type=int, default=50_000)
    parser.add_argument("--requests", type=int, default=40)
    parser.add_argument("--database", action="append", choices=["sqlite", "postgresql"])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--url", help="of a database that is kept, instead of --database")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found: list[Measurement] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        if options.url:
            found += run(options.url.partition(":")[0].partition("+")[0], options.url, options)
        for name in options.database or ([] if options.url else ["sqlite"]):
            if name == "sqlite":
                found += run(name, f"sqlite:///{folder / 'catalogue.db'}", options)
            else:
                found += _on_postgresql(options)
    if options.json:
        options.json.write_text(json.dumps([asdict(one) for one in found], indent=1))


def _on_postgresql(options: argparse.Namespace) -> list[Measurement]:
    sys.path.insert(0, str(_SUPPORT))
    from postgresql_cluster import Cluster, _programs

    programs: Any = _programs()
    if programs is None:
        raise SystemExit("PostgreSQL's server programs are missing (Debian package postgresql)")
    cluster = Cluster(programs)
    try:
        return run("postgresql", cluster.create(), options)
    finally:
        cluster.stop()


if __name__ == "__main__":
    main()
