"""A receiver process: serves the associations that the main process hands over.

Started by `receiver_pool` with the descriptor of its channel as the only argument; settings come over the
channel. It ends when it is told to, and at once when the main process is gone.
"""

from __future__ import annotations

import gc
import itertools
import os
import signal
import socket
import sys
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import structlog

from dicom_node.app.admission import build_limits
from dicom_node.app.dimse import build_scp
from dicom_node.app.limits_desk import AskedLimits
from dicom_node.app.receiver_channel import Channel
from dicom_node.app.receiver_edge import build_edge
from dicom_node.domain.errors import InternalError, NodeError
from dicom_node.observability.logging import configure_logging
from dicom_node.observability.relayed_metrics import RelayedMetrics
from dicom_node.settings import Settings

if TYPE_CHECKING:
    from dicom_node.app.receiver_edge import DimseEdge
    from dicom_node.dimse.limits import Caller
    from dicom_node.dimse.scp import StorageScp

log = structlog.get_logger(__name__)

#: Seconds that an association waits for the main process to decide something.
_ANSWER_S = 30.0


class ReceiverProcess:
    """The process's side of its channel."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._metrics = RelayedMetrics(lambda batch: channel.send({"kind": "metrics", **batch}))
        self._numbers = itertools.count()
        self._questions: dict[int, Future[Any]] = {}
        self._stopping = False
        #: What the main process knows that each connection has brought.
        self._told: dict[Caller, set[str]] = {}

    def ask(self, what: str, **facts: str | int | float | bool | None) -> Any:
        """Have the main process decide something that holds over all receivers; see `receiver_pool.Desk`.

        Raises
        ------
        InternalError
            If it does not answer.
        """
        number = next(self._numbers)
        answer: Future[Any] = Future()
        self._questions[number] = answer
        try:
            self._channel.send({"kind": "question", "number": number, "what": what, "facts": facts})
            return answer.result(_ANSWER_S)
        except (OSError, TimeoutError) as exc:
            raise InternalError("the main process does not answer; start the node again") from exc
        finally:
            del self._questions[number]

    def run(self) -> None:
        """Serve until told to stop, or until the main process is gone."""
        first = self._channel.receive()
        if first is None:
            return
        settings = Settings(**first["settings"])
        configure_logging(settings.logging.level, settings.logging.format)
        # It stays so: a logger need not be put together for every instance.
        structlog.configure(cache_logger_on_first_use=True)
        edge = build_edge(settings, self._metrics)
        limits = AskedLimits(self.ask, build_limits(settings.dimse))
        scp = build_scp(settings, edge, limits=limits, ended=self._ended, brought=self._brought)
        scp.open()
        # What is there now stays: the collector need not walk it again.
        gc.collect()
        gc.freeze()
        self._channel.send({"kind": "ready"})
        while (message := self._channel.receive()) is not None:
            self._handle(message, scp, edge)
        if not self._stopping:
            # Nobody is left who would count, log or restart: what is not acknowledged will be sent again.
            os._exit(1)

    def _brought(self, caller: Caller, study_id: str) -> None:
        """Tell the main process of the first instance of each study; in the thread of its association."""
        told = self._told.setdefault(caller, set())
        if study_id not in told:
            told.add(study_id)
            self._channel.tell({"kind": "brought", "address": caller, "study": study_id})

    def _ended(self, caller: Caller) -> None:
        self._told.pop(caller, None)
        self._channel.tell({"kind": "ended", "address": caller})

    def _handle(self, message: dict[str, Any], scp: StorageScp, edge: DimseEdge) -> None:
        if message["kind"] == "connection":
            host, port = message["address"]
            scp.take(self._channel.take_connection(), (host, port), message["port"])
        elif message["kind"] == "answer":
            waiting = self._questions.get(message["number"])
            if waiting is None:
                return  # it took too long
            if "value" in message:
                waiting.set_result(message["value"])
            else:
                waiting.set_exception(InternalError("the main process failed to decide; its log says why"))
        elif message["kind"] == "stop" and not self._stopping:
            self._stopping = True
            # In a thread of its own: associations that end may still have to ask something.
            threading.Thread(target=self._stop, args=(scp, edge), name="stop").start()

    def _stop(self, scp: StorageScp, edge: DimseEdge) -> None:
        try:
            scp.stop()
            edge.close()
            self._metrics.close()
        except OSError:
            log.warning("receiver.stopped-alone", process_id=os.getpid())
        finally:
            self._channel.close()


def main() -> None:
    """Run a receiver process."""
    # Ctrl-C and a service manager's SIGTERM reach the whole group: the main process says when to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    configure_logging()
    try:
        ReceiverProcess(Channel(socket.socket(fileno=int(sys.argv[1])))).run()
    except NodeError as exc:
        log.error("receiver.failed", process_id=os.getpid(), code=exc.code, reason=str(exc))
        sys.exit(1)
    except Exception as exc:  # noqa: BLE001 - a traceback's text may hold values
        log.error("receiver.failed", process_id=os.getpid(), reason=str(InternalError.of(exc)))
        sys.exit(1)


if __name__ == "__main__":
    main()
