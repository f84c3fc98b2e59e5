"""Storage commitment as a way to confirm, over reports that a test gives."""

from datetime import UTC, datetime

import pytest

from dicom_node.domain.commitment import CommitmentOutcome, CommitmentState, FailureReason, ObjectReference
from dicom_node.domain.delivery import Confirmation, SentObject
from dicom_node.domain.errors import NotFound
from dicom_node.pipeline.deliver_commitment import CommitmentConfirmer

ONE, TWO = (SentObject("1.2.3", "2.25.5", "1.2.840.1", uid) for uid in ("2.25.1", "2.25.2"))
NOW = datetime(2026, 5, 4, tzinfo=UTC)


class Peer:
    """`ports.CommitmentRequester` and `ports.Commitments`: what it says is set by a test."""

    def __init__(self, outcome=None):
        self.asked = []
        self._outcome = outcome

    def request(self, objects):
        self.asked.append(list(objects))
        return "2.25.77"

    def outcome(self, transaction_uid):
        assert transaction_uid == "2.25.77"
        if self._outcome is None:
            raise NotFound("no such transaction")
        return self._outcome


def test_transaction_names_all_objects():
    peer = Peer()
    assert CommitmentConfirmer(peer, peer).begin([ONE, TWO]) == "2.25.77"
    assert peer.asked == [[ObjectReference("1.2.840.1", uid) for uid in ("2.25.1", "2.25.2")]]


@pytest.mark.parametrize(
    ("outcome", "answer"),
    [
        (None, Confirmation()),
        (CommitmentOutcome(CommitmentState.PENDING, NOW), Confirmation()),
        (CommitmentOutcome(CommitmentState.COMMITTED, NOW), Confirmation(frozenset({"2.25.1", "2.25.2"}))),
        (
            CommitmentOutcome(
                CommitmentState.FAILED, NOW, failures={"2.25.2": FailureReason.NO_SUCH_OBJECT_INSTANCE}
            ),
            Confirmation(frozenset({"2.25.1"}), {"2.25.2": "no such object instance"}),
        ),
        (
            CommitmentOutcome(CommitmentState.FAILED, NOW, reason="refused"),
            Confirmation(missing={"2.25.1": "refused", "2.25.2": "refused"}),
        ),
    ],
)
def test_report_says_what_is_kept(outcome, answer):
    peer = Peer(outcome)
    assert CommitmentConfirmer(peer, peer).look([ONE, TWO], "2.25.77") == answer
