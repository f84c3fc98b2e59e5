"""Storage commitment on SQLite."""

from commitment_contract import CommitmentContract, commitments, now

__all__ = ["commitments", "now"]


class TestCommitments(CommitmentContract):
    pass
