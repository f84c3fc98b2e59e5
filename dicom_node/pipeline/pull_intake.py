"""What of one study has arrived, and what an archive is still to send."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from dicom_node.domain.errors import OutOfResources, PermanentError, TransientError
from dicom_node.domain.instance import IncomingInstance

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from typing import BinaryIO

    from dicom_node.domain.errors import NodeError
    from dicom_node.domain.instance import Receipt
    from dicom_node.domain.pull import ArchivedInstance
    from dicom_node.ports.arrivals import Arrivals
    from dicom_node.ports.identity import Pseudonymizer
    from dicom_node.ports.ingest import Arrival, Receiver

log = structlog.get_logger(__name__)


class StudyIntake:
    """`ports.Intake` of one study.

    Instances come through `take`, or by another process of the node: `look` asks the index.

    Parameters
    ----------
    wanted
        Empty where the archive lists no instances: then `expected` decides.
    expected
        How many instances the archive counts.
    source
        `IncomingInstance.source` of what comes through `take`.
    arrived
        Called with the node's study id and a count of instances that are here now and were not before.
    check
        Raises to end the work.
    """

    def __init__(
        self,
        study_instance_uid: str,
        wanted: Iterable[ArchivedInstance],
        expected: int,
        *,
        source: str,
        receiver: Receiver,
        arrivals: Arrivals,
        pseudonymizer: Pseudonymizer,
        arrived: Callable[[str, int], None],
        check: Callable[[], None],
    ) -> None:
        self.study_instance_uid = pseudonymizer.uid(study_instance_uid)
        #: The node's id of the study, once any of it is here.
        self.study_id: str | None = None
        #: Why instances were not kept, in the order that it was met.
        self.reasons: dict[str, None] = {}
        self._wanted = {pseudonymizer.uid(item.sop_instance_uid): item for item in wanted}
        self._left = dict(self._wanted)
        self._refused: set[str] = set()
        self._here: set[str] = set()
        self._expected = expected
        self._source = source
        self._receiver = receiver
        self._arrivals = arrivals
        self._pseudonymizer = pseudonymizer
        self._arrived = arrived
        self.check = check

    @property
    def short(self) -> int:
        """How many instances are not here."""
        if self._wanted:
            return len(self._left) + len(self._refused)
        return max(0, self._expected - len(self._here))

    def missing(self) -> Collection[ArchivedInstance]:
        """See `ports.Intake.missing`; without what the node refused."""
        return self._left.values()

    def take(self, sop_instance_uid: str, stream: BinaryIO) -> NodeError | None:
        """See `ports.Intake.take`."""
        try:
            receipt = self._receiver.receive(IncomingInstance(stream, self._source))
        except OutOfResources:
            raise
        except (PermanentError, TransientError) as exc:
            self.reasons[str(exc)] = None
            refused = self._pseudonymizer.uid(sop_instance_uid)
            if isinstance(exc, PermanentError) and self._left.pop(refused, None) is not None:
                self._refused.add(refused)
            return exc
        self.kept(receipt)
        return None

    def begin(self) -> NotedArrival:
        """See `ports.Intake.begin`."""
        return NotedArrival(self._receiver.begin(self._source), self)

    def kept(self, receipt: Receipt) -> None:
        """Count an instance that was stored."""
        self._note(receipt.study_id, {receipt.sop_instance_uid})

    def look(self) -> int:
        """See `ports.Intake.look`."""
        present = self._arrivals.present(self.study_instance_uid)
        if present:
            self._note(next(iter(present.values())), set(present))
        return len(self._here)

    def _note(self, study_id: str, uids: set[str]) -> None:
        self.study_id = study_id
        fresh = uids - self._here
        if self._wanted:
            fresh &= self._wanted.keys()
        self._here |= fresh
        for uid in fresh:
            self._left.pop(uid, None)
            self._refused.discard(uid)
        if fresh:
            self._arrived(study_id, len(fresh))


class NotedArrival:
    """`ports.Arrival` of an instance that a pull fetches."""

    def __init__(self, arrival: Arrival, intake: StudyIntake) -> None:
        self._arrival = arrival
        self._intake = intake

    def write(self, part: bytes | bytearray | memoryview) -> None:
        """See `ports.Arrival.write`."""
        self._arrival.write(part)

    def complete(self) -> Receipt:
        """See `ports.Arrival.complete`."""
        try:
            receipt = self._arrival.complete()
        except OutOfResources:
            raise
        except (PermanentError, TransientError) as exc:
            self._intake.reasons[str(exc)] = None
            raise
        self._intake.kept(receipt)
        return receipt

    def abandon(self) -> None:
        """See `ports.Arrival.abandon`."""
        self._arrival.abandon()
