"""The quarantine's table, and reports of de-identification, on SQLite."""

from index_contract import clock, index, slot
from quarantine_contract import QuarantineContract, ReportContract, item, quarantine, source

__all__ = ["clock", "index", "item", "quarantine", "slot", "source"]


class TestQuarantine(QuarantineContract):
    pass


class TestReports(ReportContract):
    pass
