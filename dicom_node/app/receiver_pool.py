"""The receiver processes of a node: one port in the main process, associations served by several others.

One interpreter serves one association at a time, so receiving scales by processes. The main process
accepts, and hands each connection to the receiver that serves the fewest. That needs no lock, a receiver that
dies takes no port with it, and what must hold over all of them (limits, counts) is decided in one place.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from dicom_node.app.admission import build_limits, listening_ports
from dicom_node.app.limits_desk import LimitsDesk
from dicom_node.app.receiver_channel import Channel
from dicom_node.dimse.listener import Listener
from dicom_node.dimse.refusals import Refusals
from dicom_node.domain.errors import InternalError, StorageFailure
from dicom_node.observability.relayed_metrics import replay
from dicom_node.pipeline.senders import OpenSenders

if TYPE_CHECKING:
    import socket

    from dicom_node.dimse.limits import Caller
    from dicom_node.ports.operation import Metrics
    from dicom_node.settings import Settings

log = structlog.get_logger(__name__)

#: Seconds that a stop waits for instances that are being stored, a little longer than a receiver does itself.
_STOP_S = 15.0
#: Seconds that a connection waits for a receiver to be ready.
_READY_S = 10.0
#: Seconds before a receiver that died is started again: the first, and the longest.
_FIRST_BACKOFF_S, _LONGEST_BACKOFF_S = 0.2, 30.0
#: A receiver that lived so many seconds died of something new.
_LIVED_S = 60.0


class Desk(Protocol):
    """Decides what must hold over all receivers."""

    def answer(self, receiver: int, what: str, facts: dict[str, Any], /) -> Any:
        """Answer a question of a receiver; called in a thread of that receiver's own.

        Parameters
        ----------
        receiver
            Number of the receiver; the same after it was started again.
        """

    def forget(self, receiver: int, /) -> None:
        """A receiver died: nothing that it had open is open any more."""


class _Receiver:
    """One receiver process, and the next one in its place."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.channel: Channel | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self.is_ready = False
        #: Connections handed over and not done, by their other ends; for ties, when the last one was.
        self.connections: set[Caller] = set()
        self.last_given = 0.0


class ReceiverPool:
    """Listens, and has receiver processes serve what comes.

    Parameters
    ----------
    count
        How many processes.
    metrics
        Where the receivers' figures are added up.
    desk
        Answers the receivers' questions; None: counts callers for them.
    senders
        Is told who brings which study.
    """

    def __init__(
        self,
        settings: Settings,
        count: int,
        metrics: Metrics,
        desk: Desk | None = None,
        senders: OpenSenders | None = None,
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._limits = build_limits(settings.dimse)
        self._refusals = Refusals(metrics)
        self._desk: Desk = desk or LimitsDesk(self._limits)
        self._senders = senders or OpenSenders()
        self._listener = Listener(settings.dimse.host, listening_ports(settings.dimse))
        self._receivers = [_Receiver(number) for number in range(count)]
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    @property
    def port(self) -> int:
        """The port that the node listens on, without TLS where there are two."""
        return self._listener.port

    @property
    def tls_port(self) -> int | None:
        """The port that the node listens on with TLS."""
        return self._listener.tls_port

    def open(self) -> dict[str, float]:
        """See `limits.CountedLimits.open`."""
        return self._limits.open()

    @property
    def process_ids(self) -> tuple[int, ...]:
        """Of the receivers that run."""
        with self._changed:
            return tuple(r.process.pid for r in self._receivers if r.process is not None)

    @property
    def ready(self) -> int:
        """How many receivers can serve an association now."""
        with self._changed:
            return sum(receiver.is_ready for receiver in self._receivers)

    def check(self) -> None:
        """Raise `StorageFailure` where no receiver can serve an association."""
        if not self.ready:
            raise StorageFailure("no receiver process is ready; look at the log for what ended them")

    def start(self) -> None:
        """Listen and start the processes; connections wait until the first is ready.

        Raises
        ------
        ConfigurationError
            If the port cannot be listened on.
        """
        self._listener.bind()
        for receiver in self._receivers:
            thread = threading.Thread(
                target=self._supervise, args=(receiver,), name=f"receiver-{receiver.number}", daemon=True
            )
            thread.start()
            self._threads.append(thread)
        self._listener.start(self._hand_over)
        log.info(
            "dimse.listening",
            host=self._settings.dimse.host,
            port=self.port,
            ae_title=self._settings.dimse.ae_title,
            count=len(self._receivers),
        )

    def stop(self) -> None:
        """Stop listening, let instances that are being stored end, and end the processes."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
            channels = [receiver.channel for receiver in self._receivers if receiver.channel is not None]
        self._listener.stop()
        for channel in channels:
            channel.tell({"kind": "stop"})
        deadline = time.monotonic() + _STOP_S
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        for receiver in self._receivers:
            if receiver.process is not None:
                receiver.process.kill()
        for thread in self._threads:
            thread.join()
        log.info("dimse.stopped", port=self.port)

    def _hand_over(self, connection: socket.socket, caller: Caller, port: str) -> None:
        message = {"kind": "connection", "address": caller, "port": port}
        with connection:
            if not self._limits.connect(caller):
                self._refusals.connection(caller[0])
                return
            while (receiver := self._choose(caller)) is not None:
                channel = receiver.channel
                if channel is not None and channel.tell(message, connection):
                    return
                with self._changed:  # it is dying; its supervisor will see that too
                    receiver.is_ready = False
                    receiver.connections.discard(caller)
            self._limits.release(caller)
            log.warning("dimse.nobody-receives", port=self.port)

    def _choose(self, caller: Caller) -> _Receiver | None:
        """The ready receiver with the fewest connections, counted as handed over."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._stopping.is_set() or any(r.is_ready for r in self._receivers), _READY_S
            )
            ready = [receiver for receiver in self._receivers if receiver.is_ready]
            if not ready or self._stopping.is_set():
                return None
            chosen = min(ready, key=lambda receiver: (len(receiver.connections), receiver.last_given))
            chosen.connections.add(caller)
            chosen.last_given = time.monotonic()
            return chosen

    def _supervise(self, receiver: _Receiver) -> None:
        backoff = _FIRST_BACKOFF_S
        while not self._stopping.is_set():
            started = time.monotonic()
            status = self._run(receiver)
            if self._stopping.is_set():
                return
            if time.monotonic() - started > _LIVED_S:
                backoff = _FIRST_BACKOFF_S
            self._metrics.count("receivers_restarted")
            log.error("receiver.ended", name=str(receiver.number), status=status)
            self._stopping.wait(backoff)
            backoff = min(2 * backoff, _LONGEST_BACKOFF_S)

    def _run(self, receiver: _Receiver) -> int:
        """Start a process and serve its channel until it ends; return its exit status."""
        channel, theirs = Channel.pair()
        try:
            with theirs:
                process = subprocess.Popen(  # noqa: S603 - our own module, by this interpreter
                    # -P: modules are never taken from the folder that the node happens to be started in.
                    [sys.executable, "-P", "-m", "dicom_node.app.receiver", str(theirs.fileno())],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                )
            with self._changed:
                receiver.process, receiver.channel = process, channel
            # Not in the arguments, which every user of the machine can read.
            channel.tell({"kind": "settings", "settings": self._settings.model_dump(mode="json")})
            if self._stopping.is_set():
                channel.tell({"kind": "stop"})
            while (message := channel.receive()) is not None:
                self._handle(receiver, channel, message)
        finally:
            channel.close()  # which ends a process that lives still
            with self._changed:
                receiver.channel = None
                receiver.is_ready = False
                lost, receiver.connections = receiver.connections, set()
            for caller in lost:
                self._gone(caller)
            self._desk.forget(receiver.number)
        status = process.wait()
        receiver.process = None
        return status

    def _handle(self, receiver: _Receiver, channel: Channel, message: dict[str, Any]) -> None:
        kind = message["kind"]
        if kind == "metrics":
            replay(message, self._metrics)
        elif kind == "ended":
            host, port = message["address"]
            with self._changed:
                receiver.connections.discard((host, port))
            self._gone((host, port))
        elif kind == "brought":
            host, port = message["address"]
            self._senders.brought((host, port), message["study"])
        elif kind == "question":
            self._answer(receiver, channel, message)
        elif kind == "ready":
            with self._changed:
                receiver.is_ready = True
                self._changed.notify_all()
            log.info("receiver.ready", name=str(receiver.number))

    def _gone(self, caller: Caller) -> None:
        self._limits.release(caller)
        self._senders.gone(caller)

    def _answer(self, receiver: _Receiver, channel: Channel, message: dict[str, Any]) -> None:
        answer = {"kind": "answer", "number": message["number"]}
        try:
            answer["value"] = self._desk.answer(receiver.number, message["what"], message["facts"])
        except Exception as exc:  # noqa: BLE001 - one bad question must not end a receiver
            log.error("receiver.question-failed", name=message["what"], reason=str(InternalError.of(exc)))
        channel.tell(answer)
