"""The threads that fetch pulls, and the leases by which several processes share them."""

from __future__ import annotations

import threading
import uuid
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import structlog

from dicom_node.domain.errors import InternalError, NodeError
from dicom_node.domain.pull import PullState
from dicom_node.pipeline.polling import PollingThread
from dicom_node.pipeline.pull_study import Cancelled, Interrupted, PullRun

if TYPE_CHECKING:
    from collections.abc import Callable

    from dicom_node.domain.pull import Pull
    from dicom_node.pipeline.pull_study import PullPorts

log = structlog.get_logger(__name__)

#: Pulls that a process fetches at a time; others wait.
AT_ONCE: Final = 2
#: How long a claim holds without being renewed: a process that died is followed by another after that.
LEASE: Final = timedelta(seconds=8)
#: Seconds between two renewals, and between two looks for pulls that other processes took in.
_RENEW_S: Final = 2.0
_LOOK_S: Final = 1.0


class PullWorkers:
    """Fetches pulls, the oldest first, each in one process at a time.

    Parameters
    ----------
    ended
        Called with each pull that ended here.
    """

    def __init__(self, ports: PullPorts, ended: Callable[[Pull], None]) -> None:
        self._ports = ports
        self._ended = ended
        self._owner = uuid.uuid4().hex
        self._wake = threading.Condition()
        self._running: dict[str, PullRun] = {}
        self._stopping = False
        self._threads: list[threading.Thread] = []
        self._leases = PollingThread("pull-leases", self.renew, every_s=_RENEW_S)

    def start(self) -> None:
        """Fetch what waits, and what other processes left."""
        self._threads = [
            threading.Thread(target=self._serve, name=f"pull-{n}", daemon=True) for n in range(AT_ONCE)
        ]
        for thread in self._threads:
            thread.start()
        self._leases.start()

    def stop(self) -> None:
        """Stop fetching; what is under way goes on at the next start, or in another process."""
        with self._wake:
            self._stopping = True
            for run in self._running.values():
                run.interrupt()
            self._wake.notify_all()
        for thread in self._threads:
            thread.join(timeout=10)
        self._leases.stop()
        try:
            self._ports.store.let_go(self._owner)
        except NodeError as exc:
            log.warning("pull.lease_kept", code=exc.code)

    def notify(self) -> None:
        """Look for a new pull now."""
        with self._wake:
            self._wake.notify()

    def progress(self) -> dict[str, Pull]:
        """The pulls that are fetched here, by id, as they stand this moment."""
        with self._wake:
            return {pull_id: run.pull for pull_id, run in self._running.items()}

    def cancel(self, pull_id: str) -> None:
        """End a pull that is fetched here."""
        with self._wake:
            run = self._running.get(pull_id)
        if run is not None:
            run.cancel()

    def renew(self) -> None:
        """Keep the claims; end what was cancelled elsewhere, and leave what another process took over."""
        with self._wake:
            running = dict(self._running)
        if not running:
            return
        held = self._ports.store.renew(self._owner, self._ports.clock.now() + LEASE)
        for pull_id, run in running.items():
            if pull_id not in held:
                run.interrupt()
            elif held[pull_id]:
                run.cancel()

    def _serve(self) -> None:
        while True:
            try:
                run = self._claim()
            except NodeError as exc:
                log.warning("pull.not_claimed", code=exc.code)
                run = None
            except Exception as exc:  # noqa: BLE001  a fault must not end the thread
                log.error("pull.not_claimed", reason=str(InternalError.of(exc)))
                run = None
            with self._wake:
                if self._stopping:
                    return
                if run is None:
                    self._wake.wait(_LOOK_S)
                    continue
                self._running[run.pull.id] = run
            try:
                self._fetch(run)
            except NodeError as exc:
                log.warning("pull.failed", code=exc.code)
            except Exception as exc:  # noqa: BLE001  one bad pull must not end all pulls
                log.error("pull.failed", reason=str(InternalError.of(exc)))
            finally:
                with self._wake:
                    del self._running[run.pull.id]

    def _claim(self) -> PullRun | None:
        now = self._ports.clock.now()
        pull = self._ports.store.claim(self._owner, now, now + LEASE)
        return None if pull is None else PullRun(pull, self._owner, self._ports)

    def _fetch(self, run: PullRun) -> None:
        try:
            run.save()
            run.fetch()
            reason = run.shortfall()
            state = PullState.DONE if reason is None else PullState.FAILED
        except Interrupted:
            log.info("pull.interrupted", source=run.pull.source)
            return
        except Cancelled:
            state, reason = PullState.CANCELLED, None
        except NodeError as exc:
            state, reason = PullState.FAILED, str(exc)
        except Exception as exc:  # noqa: BLE001  the pull ends, and says where
            state, reason = PullState.FAILED, str(InternalError.of(exc))
        ended = replace(run.pull, state=state, reason=reason, updated_at=self._ports.clock.now())
        if self._ports.store.update(self._owner, ended):
            self._ended(ended)
