"""The DIMSE side of a node: in the main process, or in processes of its own."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog

from dicom_node.app.admission import build_limits, check_dimse
from dicom_node.app.dimse import build_scp
from dicom_node.app.exposure import exposures
from dicom_node.app.receiver_edge import build_edge
from dicom_node.app.receiver_pool import ReceiverPool

if TYPE_CHECKING:
    from dicom_node.pipeline.senders import OpenSenders
    from dicom_node.ports.operation import Metrics
    from dicom_node.settings import Settings

log = structlog.get_logger(__name__)

#: More receivers than this wait for the disk, whatever the machine.
_MOST = 8


class ReceivingHere:
    """The DIMSE side in the main process."""

    def __init__(self, settings: Settings, metrics: Metrics, senders: OpenSenders) -> None:
        self._edge = build_edge(settings, metrics)
        self._limits = build_limits(settings.dimse)
        self._scp = build_scp(
            settings, self._edge, limits=self._limits, ended=senders.gone, brought=senders.brought
        )

    @property
    def port(self) -> int:
        """The port that it listens on, without TLS where there are two."""
        return self._scp.port

    @property
    def tls_port(self) -> int | None:
        """The port that it listens on with TLS; None without one."""
        return self._scp.tls_port

    def start(self) -> None:
        """Listen.

        Raises
        ------
        ConfigurationError
            If the port cannot be listened on.
        """
        self._scp.start()

    def open(self) -> dict[str, float]:
        """See `limits.CountedLimits.open`."""
        return self._limits.open()

    def check(self) -> None:
        """It is ready while the node runs."""

    def stop(self) -> None:
        """Stop listening, let instances that are being stored end, and abort the associations."""
        self._scp.stop()
        self._edge.close()


def build_receivers(
    settings: Settings, metrics: Metrics, senders: OpenSenders
) -> ReceivingHere | ReceiverPool:
    """What `dimse.receivers` asks for, not started; says loudly what is open further than it looks.

    Parameters
    ----------
    senders
        Is told who brings which study.

    Raises
    ------
    ConfigurationError
        If a certificate, a key or a passcode cannot be read.
    """
    check_dimse(settings)
    for text in exposures(settings.dimse, datetime.now(UTC)):
        log.warning("dimse.exposed", reason=text)
    asked = settings.dimse.receivers
    count = usual_count() if asked == "auto" else asked
    return (
        ReceiverPool(settings, count, metrics, senders=senders)
        if count
        else ReceivingHere(settings, metrics, senders)
    )


def usual_count() -> int:
    """As many receivers as the process may use processors, within reason."""
    return max(1, min(_MOST, len(os.sched_getaffinity(0))))
