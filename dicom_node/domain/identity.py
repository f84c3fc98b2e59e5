"""What de-identification took away, so that it can be put back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dicom_node.domain.catalog import CatalogEntry


@dataclass(frozen=True, slots=True)
class OriginalIdentity:
    """The original patient, study and UIDs of a study. Never logged; at rest only in the vault.

    Attributes
    ----------
    attributes
        Original patient and study level attributes as DICOM JSON (PS3.18 Annex F), by tag.
        A tag that maps to `None` was absent.
    uids
        Pseudonymous UID to original UID, for every UID that was replaced.
    """

    attributes: dict[str, Any]
    uids: dict[str, str]

    def merged(self, other: OriginalIdentity) -> OriginalIdentity:
        """Both, where attributes of `self` win."""
        return OriginalIdentity({**other.attributes, **self.attributes}, {**other.uids, **self.uids})

    def to_bytes(self) -> bytes:
        """As UTF-8 JSON."""
        return json.dumps({"attributes": self.attributes, "uids": self.uids}, sort_keys=True).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> OriginalIdentity:
        """Read what `to_bytes` wrote."""
        raw = json.loads(data)
        return cls(raw["attributes"], raw["uids"])


@dataclass(frozen=True, slots=True)
class DeidentifiedInstance:
    """One instance after de-identification.

    Attributes
    ----------
    data
        Part 10 bytes with a new File Meta.
    identity
        What was taken from this instance.
    report
        What was done, without a value; only `ports.Deidentifier.summarise` looks into it.
    """

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    data: bytes
    identity: OriginalIdentity
    report: object = None


@dataclass(frozen=True, slots=True)
class Passed:
    """An instance that lies in the work area, and what was done to it."""

    entry: CatalogEntry
    out: DeidentifiedInstance
