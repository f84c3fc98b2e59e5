"""The ledger on SQLite."""

from index_contract import clock, index, slot
from ledger_contract import LedgerContract

__all__ = ["clock", "index", "slot"]


class TestLedger(LedgerContract):
    pass
