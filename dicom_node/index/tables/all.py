"""Every table, for schema comparison."""

from __future__ import annotations

from dicom_node.index.tables import catalog, outcomes, quarantine, studies, vault, worklist
from dicom_node.index.tables.base import metadata

__all__ = ["catalog", "metadata", "outcomes", "quarantine", "studies", "vault", "worklist"]
