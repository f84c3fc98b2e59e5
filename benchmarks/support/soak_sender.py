"""A sender of the soak, as its own process: sends new studies until it is told to stop.

It writes a journal, a JSON line before each attempt and one after each success, and sends again what was not
acknowledged. Told to stop (SIGTERM), it finishes the study that it is at, for at most a minute.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT / "tests" / "support")]

from raw_association import RawAssociation, pdu, store_command  # noqa: E402
from support.soak_studies import Sent, study  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterable

_PART = 16_000
_RELEASE = b"\x05\x00\x00\x00\x00\x04\x00\x00\x00\x00"
_RETRY_S = 0.4
_LAST_S = 90.0


class Journal:
    """What was tried, and what was acknowledged."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", buffering=1)

    def write(self, what: str, sent: Iterable[Sent], **facts: Any) -> None:
        for one in sent:
            line = {"what": what, "uid": one.uid, "study": one.study, "sha256": one.sha256, **facts}
            self._file.write(json.dumps(line) + "\n")


class Sender(ABC):
    """Sends over one protocol."""

    def __init__(self, facts: dict[str, Any], journal: Journal) -> None:
        self.port, self.url, self.called = facts["port"], facts["url"], facts["called"]
        self.journal = journal

    @abstractmethod
    def attempt(self, pending: list[Sent]) -> list[Sent]:
        """What was acknowledged, as far as it came."""


class Dimse(Sender):
    """C-STORE, one association for as much of a study as it lasts."""

    def attempt(self, pending: list[Sent]) -> list[Sent]:
        done: list[Sent] = []
        try:
            peer = RawAssociation(self.port, self.called, "SOAK", pending[0].sop_class)
        except (OSError, AssertionError):
            return done
        peer.socket.settimeout(60)
        try:
            for one in pending:
                self.journal.write("sent", [one])
                peer.socket.sendall(store_command(one.sop_class, one.uid))
                for start in range(0, len(one.data_set), _PART):
                    last = start + _PART >= len(one.data_set)
                    peer.socket.sendall(pdu(2 if last else 0, one.data_set[start : start + _PART]))
                status, _ = peer.response()
                if status != 0:
                    self.journal.write("refused", [one], status=f"{status:04X}")
                    break
                done.append(one)
            else:
                peer.socket.sendall(_RELEASE)
                peer.read()
        except (OSError, AssertionError):
            pass  # the node was killed, or ended the association: what is left is sent again
        finally:
            peer.close()
        return done


class Dcmtk(Sender):
    """DCMTK's storescu, a study at a time."""

    def attempt(self, pending: list[Sent]) -> list[Sent]:
        with tempfile.TemporaryDirectory() as folder:
            for number, one in enumerate(pending):
                Path(folder, f"{number}.dcm").write_bytes(one.file)
            self.journal.write("sent", pending)
            command = ["storescu", "-aec", self.called, "-aet", "SOAK", "-to", "30", "+sd"]
            done = subprocess.run([*command, "127.0.0.1", str(self.port), folder], capture_output=True)
        return list(pending) if done.returncode == 0 else []


class Stow(Sender):
    """STOW-RS, a study in a request."""

    def attempt(self, pending: list[Sent]) -> list[Sent]:
        self.journal.write("sent", pending)
        parts = [b"--soak\r\nContent-Type: application/dicom\r\n\r\n" + one.file + b"\r\n" for one in pending]
        headers = {
            "Content-Type": 'multipart/related; type="application/dicom"; boundary=soak',
            "Accept": "application/dicom+json",
        }
        try:
            answer = httpx.post(
                f"{self.url}/dicom-web/studies",
                content=b"".join(parts) + b"--soak--",
                headers=headers,
                timeout=60,
                trust_env=False,
            )
        except httpx.TransportError:
            return []
        if answer.status_code == 200:
            return list(pending)
        self.journal.write("refused", pending, status=str(answer.status_code))
        return []


KINDS = {"dimse": Dimse, "dcmtk": Dcmtk, "stow": Stow}


def backlog(url: str) -> float:
    """Studies that are received or processed now."""
    try:
        text = httpx.get(f"{url}/metrics", timeout=10, trust_env=False).text
    except httpx.TransportError:
        return 0.0
    return sum(
        float(line.split()[1])
        for line in text.splitlines()
        if line.startswith(('dicom_node_studies{state="receiving"', 'dicom_node_studies{state="processing"'))
    )


def main() -> None:
    facts = json.loads(sys.argv[1])
    stopping: list[float] = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(time.monotonic() + _LAST_S))
    journal = Journal(Path(facts["journal"]))
    sender = KINDS[facts["kind"]](facts, journal)
    chance = random.Random(facts["first"])
    serial = facts["first"]
    while not stopping:
        if backlog(facts["url"]) > facts["backlog"]:
            time.sleep(0.5)
            continue
        pending = study(serial)
        serial += 1
        # Peers do send twice: nothing may come of it.
        again = chance.sample(pending, len(pending) // 3) if chance.random() < 0.5 else []
        for batch in (pending, again):
            while batch and (not stopping or time.monotonic() < stopping[0]):
                done = sender.attempt(batch)
                journal.write("acknowledged", done)
                batch = [one for one in batch if one not in done]
                if batch:
                    time.sleep(_RETRY_S)
        time.sleep(chance.uniform(0, facts["pause_s"]))


if __name__ == "__main__":
    main()
