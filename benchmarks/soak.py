"""A soak: senders, kills and a destination that comes and goes, and then the accounts.

    python benchmarks/soak.py --minutes 30

Senders (C-STORE by hand-written PDUs and by DCMTK's storescu, STOW-RS) keep a journal of what they sent and
of what was acknowledged, and send again what was not. Meanwhile receivers, the main process, or all at once
are killed with SIGKILL every 20 to 60 s, and the Orthanc that results go to is stopped at times. Studies
complete, are processed by a toy model or rejected, are delivered, confirmed and purged while it runs. In the
end nothing may be lost or doubled; exit status 1 where something is.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from support.servers import free_port
from support.soak_accounts import Journals, account, command, results
from support.soak_node import SoakNode, Usage

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "tests" / "support"))

#: How often what is killed, of ten.
_KILLS = ("receiver",) * 6 + ("main",) * 3 + ("all",)
_DRAIN_S = 900.0
_SAMPLE_S = 5.0


class Soak:
    """One run.

    Parameters
    ----------
    kill_s, outage_s
        Shortest and longest time between two kills, and between two outages of the destination.
    """

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        from real_orthanc import RealOrthanc

        self.options = options
        self.folder = folder
        self.chance = random.Random(options.seed)
        port = free_port()
        self.orthanc = RealOrthanc(
            folder / "orthanc",
            {
                "OverwriteInstances": True,
                "Plugins": [],
                # Where it sends what it says of storage commitment.
                "DicomModalities": {"node": {"AET": SoakNode.ae_title, "Host": "127.0.0.1", "Port": port}},
            },
        )
        self.node = SoakNode(
            folder,
            port,
            {"ae_title": self.orthanc.ae_title, "port": self.orthanc.dimse_port},
            confirm=options.confirm,
            receivers=options.receivers,
        )
        self.usage = Usage(self.node)
        self.kills: dict[str, int] = {}
        self.outages = 0
        self.senders: list[subprocess.Popen[bytes]] = []

    def run(self) -> dict[str, Any]:
        began = time.monotonic()
        end = began + self.options.seconds
        self._start_senders()
        next_kill = began + self._wait(self.options.kill_s)
        next_outage = began + self._wait(self.options.outage_s)
        back_at = None
        while time.monotonic() < end:
            time.sleep(min(_SAMPLE_S, max(0.1, end - time.monotonic())))
            now = time.monotonic()
            self.usage.sample()
            if now >= next_kill:
                what = self.chance.choice(_KILLS)
                if self.node.kill(what, self.chance):
                    self.kills[what] = self.kills.get(what, 0) + 1
                next_kill = time.monotonic() + self._wait(self.options.kill_s)
            if back_at is not None and now >= back_at:
                self.orthanc.resume()
                back_at = None
                next_outage = now + self._wait(self.options.outage_s)
            elif back_at is None and now >= next_outage:
                self.orthanc.stop()
                self.outages += 1
                back_at = now + self.chance.uniform(5, 25)
            self._say(began)
        if back_at is not None:
            self.orthanc.resume()
        self._stop_senders()
        drained = self._drain()
        self.usage.sample()
        return self._account(time.monotonic() - began, drained)

    def close(self) -> None:
        for sender in self.senders:
            sender.kill()
            sender.wait()
        if self.node.process.poll() is None:
            self.node.stop()
        self.orthanc.discard()

    def _wait(self, bounds: tuple[float, float]) -> float:
        low, high = bounds
        return low if low == high else self.chance.uniform(low, high)

    def _start_senders(self) -> None:
        kinds = ("dimse", "stow", "dcmtk", "dimse")[: self.options.senders]
        for number, kind in enumerate(kinds):
            facts = {
                "kind": kind,
                "port": self.node.port,
                "url": self.node.url,
                "called": self.node.ae_title,
                "journal": str(self.folder / f"journal-{number}.jsonl"),
                "first": (number + 1) * 1_000_000,
                "backlog": self.options.backlog,
                "pause_s": self.options.pause_s,
            }
            script = ROOT / "benchmarks" / "support" / "soak_sender.py"
            self.senders.append(subprocess.Popen([sys.executable, str(script), json.dumps(facts)]))

    def _stop_senders(self) -> None:
        for sender in self.senders:
            sender.send_signal(signal.SIGTERM)
        for sender in self.senders:
            if sender.wait(150) != 0:
                raise SystemExit("a sender failed; look at its traceback above")

    def _drain(self) -> bool:
        """Wait until all studies have ended and were purged."""
        deadline = time.monotonic() + _DRAIN_S
        while time.monotonic() < deadline:
            if not any(self.node.get(f"/api/studies?state={s}&limit=1")["studies"] for s in _OPEN):
                return True
            time.sleep(1)
        return False

    def _account(self, seconds: float, drained: bool) -> dict[str, Any]:
        deliveries = self._deliveries()
        self.node.stop()
        journals = Journals.read(sorted(self.folder.glob("journal-*.jsonl")))
        made = results(self.node.data_dir)
        held = self._held()
        found = account(self.node.data_dir, journals)
        log = (self.folder / "server.log").read_text(errors="replace")
        return {
            "seconds": round(seconds),
            "kills": self.kills,
            "starts": self.node.starts,
            "outages": self.outages,
            "sent": len(journals.sent),
            "attempts": sum(journals.sent.values()),
            "acknowledgements": journals.acknowledgements,
            "acknowledged": len(journals.acknowledged),
            "refused": dict(journals.refused),
            **found,
            "lost": len(found["lost"]),
            "doubled": len(found["doubled"]),
            "conflicts": log.count('"event": "instance.conflict"'),
            "results": len(made),
            "results_at_destination": len(made & held),
            "results_missing": len(made - held),
            "deliveries": deliveries,
            "drained": drained,
            "audit": command(self.node.configuration, "audit", "verify"),
            "reconciled": command(self.node.configuration, "reconcile", "--deep"),
            "usage": self.usage.report(),
            "examples": {name: found[name][:5] for name in ("lost", "doubled")},
        }

    def _deliveries(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        cursor = ""
        while True:
            page = self.node.get(f"/api/studies?state=done&limit=100{cursor}")
            for study in page["studies"]:
                for delivery in self.node.get(f"/api/studies/{study['id']}")["deliveries"]:
                    counts[delivery["status"]] = counts.get(delivery["status"], 0) + 1
            if not page.get("next_cursor"):
                return counts
            cursor = f"&cursor={page['next_cursor']}"

    def _held(self) -> set[str]:
        found = self.orthanc.http.get("/instances?expand").raise_for_status().json()
        return {one["MainDicomTags"]["SOPInstanceUID"] for one in found}

    def _say(self, began: float) -> None:
        if not self.options.json:
            print(
                f"{time.monotonic() - began:6.0f} s  kills {self.kills}  outages {self.outages}", flush=True
            )


_OPEN = ("receiving", "processing")


def is_good(report: dict[str, Any]) -> bool:
    """Whether nothing was lost, doubled or left."""
    return (
        report["acknowledged"] == report["sent"] > 0
        and report["lost"] == report["doubled"] == report["conflicts"] == 0
        and report["drained"]
        and set(report["studies"]) <= {"done", "rejected"}
        and report["results_missing"] == report["not_purged"] == report["spool_files"] == 0
        and report["audit"]["exit"] == report["reconciled"]["exit"] == 0
        and set(report["deliveries"]) <= {"sent", "confirmed"}
    )


def _bounds(text: str) -> tuple[float, float]:
    low, _, high = text.partition("-")
    return float(low), float(high)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--senders", type=int, default=4, choices=range(1, 5))
    parser.add_argument("--receivers", type=int, default=2)
    parser.add_argument("--confirm", default="query", choices=("none", "query", "commitment"))
    parser.add_argument("--no-kills", action="store_true", help="nothing is killed, nobody goes away")
    parser.add_argument("--kill-s", type=_bounds, default=(20.0, 60.0), help="between two kills, as 20-60")
    parser.add_argument("--outage-s", type=_bounds, default=(60.0, 150.0), help="between two outages")
    parser.add_argument("--backlog", type=int, default=20, help="studies in work at which senders pause")
    parser.add_argument("--pause-s", type=float, default=0.5, help="the most between two studies of a sender")
    parser.add_argument("--folder", type=Path, help="keep everything here; default: a temporary folder")
    parser.add_argument("--json", action="store_true", help="print the report only")
    options = parser.parse_args()
    options.seconds = options.minutes * 60
    if options.no_kills:
        options.kill_s = options.outage_s = (math.inf, math.inf)
    with tempfile.TemporaryDirectory(prefix="soak-") as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        soak = Soak(options, folder)
        try:
            report = soak.run()
        finally:
            soak.close()
    print(json.dumps(report, indent=2))
    if not is_good(report):
        sys.exit(1)


if __name__ == "__main__":
    main()
