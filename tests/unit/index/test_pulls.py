"""Pulls and arrivals on SQLite."""

from pulls_contract import ArrivalsContract, PullsContract, arrivals, pulls

__all__ = ["arrivals", "pulls"]


class TestPulls(PullsContract):
    pass


class TestArrivals(ArrivalsContract):
    pass
