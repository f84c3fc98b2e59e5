"""Every table, for schema comparison."""

from __future__ import annotations

from dicom_node.index.tables import (
    catalog,
    commitments,
    deliveries,
    ledger,
    notifications,
    outcomes,
    pulls,
    quarantine,
    studies,
    vault,
    worklist,
)
from dicom_node.index.tables.base import metadata

__all__ = [
    "catalog",
    "commitments",
    "deliveries",
    "ledger",
    "metadata",
    "notifications",
    "outcomes",
    "pulls",
    "quarantine",
    "studies",
    "vault",
    "worklist",
]
