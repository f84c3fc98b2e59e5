"""The DIMSE client: C-ECHO, and C-STORE of files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dicom_node.dimse.association import associated
from dicom_node.dimse.contexts import Proposal, propose, verification_context
from dicom_node.dimse.encoded_store import choose_context, encoded_data_set, send_encoded
from dicom_node.dimse.statuses import SUCCESS, describe, is_stored
from dicom_node.domain.errors import DeliveryFailed, NodeError
from dicom_node.pipeline.header import scan

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from dicom_node.dimse.association import Address
    from dicom_node.pipeline.header import ScannedInstance

_NO_CONTEXT = (
    f"{describe(0x0122)}: the peer takes neither its SOP Class in its transfer syntax nor another way"
)
_UNREADABLE = "not sent: the file cannot be read; check its permissions"


@dataclass(frozen=True, slots=True)
class _Outgoing:
    """One object that waits to be sent; its bytes are loaded when its turn comes."""

    key: str
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    dataset_offset: int
    load: Callable[[], bytes]


def echo(address: Address) -> None:
    """Verify a peer by C-ECHO.

    Raises
    ------
    DeliveryFailed
        If the peer is not there, refuses, or answers another status than success.
    """
    with associated(address, [verification_context()]) as assoc:
        status = assoc.send_c_echo() if assoc is not None else None
    code = getattr(status, "Status", None)
    if code != SUCCESS:
        what = "does not take Verification" if code is None else f"answered {describe(int(code))}"
        raise DeliveryFailed(f"{address.name} {what}; check the peer's configuration")


def send_files(
    paths: Sequence[Path], address: Address, progress: Callable[[int], None] | None = None
) -> dict[Path, str]:
    """Send DICOM files by C-STORE.

    Parameters
    ----------
    progress
        Called with the count of files that are done, after each one, sent or not.

    Returns
    -------
    dict
        Reasons by path for the files that were not stored.

    Raises
    ------
    DeliveryFailed
        If the peer is not there, refuses the association, or ends it before all is sent.
    """
    done = 0

    def advance() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done)

    failures: dict[Path, str] = {}
    by_key = {}
    waiting = []
    for number, path in enumerate(paths):
        try:
            with path.open("rb") as stream:
                scanned = scan(stream)
        except NodeError as exc:
            failures[path] = f"not sent: {exc}"
            advance()
        except OSError:
            failures[path] = _UNREADABLE
            advance()
        else:
            by_key[str(number)] = path
            waiting.append(_outgoing(scanned, str(number), path.read_bytes))
    for key, reason in _send_all(address, waiting, advance).items():
        failures[by_key[key]] = reason
    return failures


def _outgoing(scanned: ScannedInstance, key: str, load: Callable[[], bytes]) -> _Outgoing:
    header = scanned.header
    return _Outgoing(
        key,
        header.sop_class_uid,
        header.sop_instance_uid,
        header.transfer_syntax_uid,
        scanned.dataset_offset,
        load,
    )


def _send_all(address: Address, waiting: Sequence[_Outgoing], advance: Callable[[], None]) -> dict[str, str]:
    """Send over as many associations as the contexts need; failures by key."""
    failures: dict[str, str] = {}
    for proposal in propose((o.sop_class_uid, o.transfer_syntax_uid) for o in waiting):
        lot = [o for o in waiting if (o.sop_class_uid, o.transfer_syntax_uid) in proposal.pairs]
        failures.update(_send_lot(address, proposal, lot, advance))
    return failures


def _send_lot(
    address: Address, proposal: Proposal, lot: Sequence[_Outgoing], advance: Callable[[], None]
) -> dict[str, str]:
    failures: dict[str, str] = {}
    with associated(address, list(proposal.contexts)) as assoc:
        for number, outgoing in enumerate(lot):
            reason = _NO_CONTEXT if assoc is None else _send_one(address, assoc, outgoing, number)
            if reason is not None:
                failures[outgoing.key] = reason
            advance()
    return failures


def _send_one(address: Address, assoc: Any, outgoing: _Outgoing, number: int) -> str | None:
    """Send one object; None where the peer keeps it, else the reason."""
    context = choose_context(assoc.accepted_contexts, outgoing.sop_class_uid, outgoing.transfer_syntax_uid)
    if context is None:
        return _NO_CONTEXT
    try:
        encoded = encoded_data_set(
            outgoing.load(),
            outgoing.dataset_offset,
            outgoing.transfer_syntax_uid,
            str(context.transfer_syntax[0]),
        )
    except OSError:
        return _UNREADABLE
    except Exception:  # noqa: BLE001 - pydicom raises anything for odd values, and quotes them
        return "not sent: the data set is malformed, or cannot be converted to what the peer takes"
    try:
        code = send_encoded(
            assoc,
            context,
            message_id=number % 65535 + 1,
            sop_class_uid=outgoing.sop_class_uid,
            sop_instance_uid=outgoing.sop_instance_uid,
            encoded=encoded,
        )
    except DeliveryFailed as exc:
        raise DeliveryFailed(f"{address.name}: {exc}") from exc
    return None if is_stored(code) else f"status {describe(code)}"
