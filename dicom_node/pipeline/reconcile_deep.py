"""The deep look: all bytes of a study are read, and verified by their tags and their hashes."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from dicom_node.domain.catalog import CatalogKind
from dicom_node.domain.errors import NodeError, NotFound
from dicom_node.domain.reconciliation import Discrepancy, DiscrepancyKind
from dicom_node.pipeline.header import scan
from dicom_node.pipeline.receive import content_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

    from dicom_node.domain.reconciliation import StudyFacts
    from dicom_node.ports.stores import BlobStore

_CHUNK = 1 << 20


class DeepLook:
    """Reads spool, work area and results.

    Sealed bytes carry AES-GCM tags, which reading checks. What was received is compared with the SHA-256 that
    was made when it came, a result with that of when the gate passed it.

    References
    ----------
    NIST SP 800-38D §7.2
    """

    def __init__(self, spool: BlobStore, work: BlobStore, results: BlobStore) -> None:
        self._spool = spool
        self._work = work
        self._results = results

    def look(self, facts: StudyFacts) -> Iterator[Discrepancy]:
        """What is damaged; what is missing is not for this look."""
        for source in facts.sources:
            if not _intact(self._spool, source.ref, _content, source.sha256):
                yield _damaged(facts, source.ref)
        for each in facts.published:
            if each.kind is CatalogKind.SOURCE and not _intact(self._work, each.ref, _plain, None):
                yield _damaged(facts, each.ref)
        for result in facts.results:
            sha256 = facts.made.get((result.version, result.sop_instance_uid))
            if not _intact(self._results, result.ref, _plain, sha256):
                yield _damaged(facts, result.ref)


def _intact(store: BlobStore, ref: str, digest: Callable[[BinaryIO], str], expected: str | None) -> bool:
    try:
        with store.open(ref) as stream:
            found = digest(stream)
    except NotFound:
        return True
    except NodeError:
        return False
    return expected in (None, found)


def _content(stream: BinaryIO) -> str:
    return content_digest(stream, scan(stream))


def _plain(stream: BinaryIO) -> str:
    digest = hashlib.sha256()
    while chunk := stream.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def _damaged(facts: StudyFacts, ref: str) -> Discrepancy:
    text = "the bytes are not those that were written; check the disk, and have the study sent again"
    return Discrepancy(DiscrepancyKind.BYTES_DAMAGED, facts.id, ref, text)
