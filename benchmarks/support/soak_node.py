"""The node of the soak: `dicom-node serve` that is killed, in parts and as a whole, and started again."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from support.servers import Server, free_port

if TYPE_CHECKING:
    import random

ROOT = Path(__file__).parents[2]
_RECEIVER = "dicom_node.app.receiver"


class SoakNode(Server):
    """A node with receiver processes, a toy model and one destination."""

    name = "node"
    ae_title = "SOAKNODE"

    def __init__(
        self, folder: Path, port: int, orthanc: dict[str, Any], *, confirm: str, receivers: int
    ) -> None:
        sys.path.append(str(ROOT / "tests" / "support"))
        from toy_package import toy_manifest, write_package

        self.port, http_port = port, free_port()
        self.url = f"http://127.0.0.1:{http_port}"
        self.data_dir = folder / "data"
        self.configuration = folder / "node.yaml"
        manifest = toy_manifest()
        manifest["input"]["body_parts"] = ["KNEE"]
        write_package(folder / "models" / "toy", manifest)
        self.configuration.write_text(
            json.dumps(
                {
                    "node": {"data_dir": str(self.data_dir), "min_free_mb": 200},
                    "dimse": {
                        "port": self.port,
                        "ae_title": self.ae_title,
                        "receivers": receivers,
                        "peers": [{"name": "orthanc", "host": "127.0.0.1", **orthanc}],
                    },
                    "http": {"port": http_port},
                    "completion": {"quiet_s": 2},
                    "inference": {"model_dirs": [str(folder / "models")]},
                    "routes": [
                        {"name": "knee", "when": {"modality": "MR", "body_part": "KNEE"}, "models": ["toy"]}
                    ],
                    "destinations": [
                        {
                            "name": "orthanc",
                            "kind": "dimse",
                            "peer": "orthanc",
                            "confirm": confirm,
                            "confirm_timeout_s": 20,
                            "max_attempts": 10_000,
                            "backoff_s": 0.5,
                            "max_backoff_s": 5,
                            "breaker_open_s": 2,
                        }
                    ],
                    "logging": {"level": "info", "format": "json"},
                }
            )
        )
        self.folder = folder
        self.starts = 0
        self.start()

    def start(self) -> None:
        """Start it (again) and wait until it is ready."""
        self.starts += 1
        path = [str(ROOT / "tests" / "support"), os.environ.get("PYTHONPATH", "")]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path))}
        command = [sys.executable, "-m", "dicom_node.cli", "serve", "--config", str(self.configuration)]
        self._launch(command, environment)
        self.wait_until(self.is_ready)

    def _launch(self, command: list[str], environment: dict[str, str]) -> None:
        self.log = (self.folder / "server.log").open("ab")
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, env=environment
        )

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health/ready", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=30) as answer:
            return json.load(answer)

    def processes(self) -> dict[str, list[psutil.Process]]:
        """Living processes by role."""
        found: dict[str, list[psutil.Process]] = {"main": [], "receiver": [], "other": []}
        with contextlib.suppress(psutil.Error):
            main = psutil.Process(self.process.pid)
            found["main"].append(main)
            for child in main.children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    role = "receiver" if _RECEIVER in " ".join(child.cmdline()) else "other"
                    found[role].append(child)
        return found

    def kill(self, what: str, chance: random.Random) -> bool:
        """SIGKILL one receiver, the main process, or all at once; False where there was none."""
        processes = self.processes()
        victims = {
            "receiver": [chance.choice(processes["receiver"])] if processes["receiver"] else [],
            "main": processes["main"],
            "all": [each for several in processes.values() for each in several],
        }[what]
        for victim in victims:
            with contextlib.suppress(psutil.Error):
                victim.send_signal(signal.SIGKILL)
        if what == "receiver":
            return bool(victims)
        self.process.wait()
        self.log.close()
        children = [each for role in ("receiver", "other") for each in processes[role]]
        _, alive = psutil.wait_procs(children, timeout=20)
        if alive:
            raise SystemExit(f"processes outlived the node: {[' '.join(p.cmdline()) for p in alive]}")
        self.start()
        return True


class Usage:
    """Memory and descriptors of the node's processes over time."""

    def __init__(self, node: SoakNode) -> None:
        self._node = node
        self._samples: list[dict[str, float]] = []

    def sample(self) -> None:
        found = {"at": time.monotonic()}
        for role, processes in self._node.processes().items():
            for process in processes:
                with contextlib.suppress(psutil.Error, OSError):
                    found[f"{role}_pss_mib"] = found.get(f"{role}_pss_mib", 0) + _pss_mib(process.pid)
                    found[f"{role}_fds"] = found.get(f"{role}_fds", 0) + process.num_fds()
        if found.get("main_pss_mib"):
            self._samples.append(found)

    def report(self) -> dict[str, dict[str, float]]:
        """Median of the first and the last tenth of the samples, and the maximum, by figure."""
        if not self._samples:
            return {}
        part = max(1, len(self._samples) // 10)
        names = sorted({name for sample in self._samples for name in sample} - {"at"})
        return {
            name: {
                "first": round(statistics.median(s.get(name, 0) for s in self._samples[:part]), 1),
                "last": round(statistics.median(s.get(name, 0) for s in self._samples[-part:]), 1),
                "most": round(max(s.get(name, 0) for s in self._samples), 1),
            }
            for name in names
        }


def _pss_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0
