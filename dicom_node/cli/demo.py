"""`dicom-node demo`: a real study through a real node, from C-STORE to results."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from dicom_node.cli.client import NodeClient
from dicom_node.cli.demo_report import is_complete, print_report
from dicom_node.domain.errors import ConfigurationError, StorageFailure

if TYPE_CHECKING:
    from collections.abc import Callable

STATE_LIMIT_S = 300.0
READY_LIMIT_S = 60.0


def demo(
    once: Annotated[bool, typer.Option("--once", help="end after printing the results")] = False,
    data_dir: Annotated[Path, typer.Option(help="the demo node's data folder")] = Path("data"),
    quiet_s: Annotated[float, typer.Option(help="seconds of quiet after which a study is complete")] = 2.0,
) -> None:
    """Start a node, send a real T1 head to it, wait, and print the results and where to look."""
    console = Console()
    http_port, dimse_port = _port(8080, console, "HTTP"), _port(11112, console, "DIMSE")
    url = f"http://127.0.0.1:{http_port}"
    data_dir.mkdir(parents=True, exist_ok=True)
    log = data_dir / "demo.log"
    written_before = log.stat().st_size if log.exists() else 0
    process = _start(data_dir, http_port, dimse_port, quiet_s)
    try:
        client = NodeClient(url)

        def own_node_serves() -> bool:
            # Another node may have taken the port meanwhile and answer in place of ours.
            return f"{url}/".encode() in log.read_bytes()[written_before:] and client.ready()

        timings = {"node start": _wait_ready(own_node_serves, process)}
        study = _send_and_wait(console, client, f"DICOMNODE@127.0.0.1:{dimse_port}", timings)
        print_report(console, study, timings, url, viewer=client.has_viewer())
        if once:
            raise typer.Exit(0 if is_complete(study) else 1)
        console.print("\nThe node keeps running. Ctrl-C ends it.")
        process.wait()
    except KeyboardInterrupt:
        console.print("\nstopping …")
    finally:
        _stop(process)


def _send_and_wait(
    console: Console, client: NodeClient, peer: str, timings: dict[str, float]
) -> dict[str, Any]:
    # Here, so that the node's own start is not delayed by these imports.
    from dicom_node.cli.send import send_to
    from dicom_node.demo.series import build_t1_series

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with (
        Progress(*columns, console=console, transient=True) as progress,
        tempfile.TemporaryDirectory() as folder,
    ):
        task = progress.add_task("making an MR series of a real T1 head")
        started = time.perf_counter()
        paths = []
        study_instance_uid = ""
        for number, dataset in enumerate(build_t1_series()):
            path = Path(folder) / f"{number:04}.dcm"
            dataset.save_as(path, enforce_file_format=True)
            paths.append(path)
            study_instance_uid = str(dataset.StudyInstanceUID)
        timings["series made"] = time.perf_counter() - started

        progress.update(task, description=f"sending {len(paths)} instances by C-STORE to {peer}")
        started = time.perf_counter()
        failures = send_to(paths, peer, "DEMO", lambda _done: None)
        if failures:
            causes = ", ".join(sorted(set(failures.values())))
            raise StorageFailure(f"{len(failures)} instances were refused: {causes}")
        timings["C-STORE"] = time.perf_counter() - started

        started = time.perf_counter()
        study = _wait_ended(client, study_instance_uid, progress, task)
        timings["quiet time, pipeline, purge"] = time.perf_counter() - started
    return study


def _wait_ended(
    client: NodeClient, original_study_instance_uid: str, progress: Progress, task: Any
) -> dict[str, Any]:
    deadline = time.monotonic() + STATE_LIMIT_S
    study_id: str | None = None
    while time.monotonic() < deadline:
        if study_id is None:
            found = client.studies(original_study_instance_uid=original_study_instance_uid)
            study_id = found[0]["id"] if found else None
        else:
            study = client.study(study_id)
            doing = study["stage"] or study["state"]
            progress.update(task, description=f"{study['received']['instances']} instances: {doing}")
            if study["state"] not in {"receiving", "processing"}:
                return study
        time.sleep(0.1)
    raise StorageFailure(f"the study did not end within {STATE_LIMIT_S:.0f} s; the node's log says why")


def _start(data_dir: Path, http_port: int, dimse_port: int, quiet_s: float) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "DICOM_NODE_NODE__DATA_DIR": str(data_dir),
        "DICOM_NODE_HTTP__PORT": str(http_port),
        "DICOM_NODE_DIMSE__PORT": str(dimse_port),
        "DICOM_NODE_COMPLETION__QUIET_S": str(quiet_s),
        "DICOM_NODE_LOGGING__FORMAT": "json",
    }
    command = [sys.executable, "-m", "dicom_node.cli", "serve"]
    with (data_dir / "demo.log").open("ab") as log:
        # A group of its own: Ctrl-C reaches the demo, which stops the node in order.
        return subprocess.Popen(  # noqa: S603  our own interpreter and module
            command, env=environment, stdout=log, stderr=log, start_new_session=True
        )


def _wait_ready(ready: Callable[[], bool], process: subprocess.Popen[bytes]) -> float:
    started = time.perf_counter()
    while time.perf_counter() - started < READY_LIMIT_S:
        if process.poll() is not None:
            raise ConfigurationError("the node ended at its start; demo.log in the data folder says why")
        if ready():
            return time.perf_counter() - started
        time.sleep(0.1)
    raise ConfigurationError("the node did not get ready; demo.log in the data folder says why")


def _port(wanted: int, console: Console, what: str) -> int:
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            taken = int(probe.getsockname()[1])
        if taken != wanted:
            console.print(f"{what} port {wanted} is in use; the demo takes {taken}")
        return taken
    raise ConfigurationError("no free port on 127.0.0.1")


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
