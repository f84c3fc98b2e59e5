"""C-FIND: what the node holds, as workstations search it.

References
----------
PS3.4 §C.4.1 (C-FIND operation); PS3.7 §9.1.2.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import structlog
from pynetdicom.dimse_primitives import C_FIND

from dicom_node.dimse.identifier import read_identifier
from dicom_node.dimse.paced_sending import AssociationEnded
from dicom_node.dimse.query_keys import PATIENT_COUNTS, is_of_patient, read_find
from dicom_node.dimse.query_models import MODELS, Level, Operation, agree, contexts, options
from dicom_node.dimse.query_response import Answer
from dicom_node.dimse.query_statuses import (
    CANCELLED,
    DOES_NOT_MATCH,
    PENDING,
    PENDING_INCOMPLETE,
    SUCCESS,
    TOO_MANY_MATCHES,
    failure_of,
)
from dicom_node.dimse.served_request import ServedRequest
from dicom_node.domain.catalog import CatalogQuery, QueryLevel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pynetdicom.presentation import PresentationContext

    from dicom_node.dimse.query_keys import Find
    from dicom_node.ports.catalog import Catalog
    from dicom_node.ports.operation import Metrics

log = structlog.get_logger(__name__)

_PATIENT_ID: Final = "00100020"
_ISSUER: Final = "00100021"


class TooManyMatches(Exception):
    """The answer would be longer than is allowed."""


class QueryScp:
    """A `service.DimseService` that answers C-FIND.

    Parameters
    ----------
    ae_title
        Whom to retrieve from: the node's own.
    max_matches
        A query that matches more is refused.
    page
        Matches that are in memory at a time.
    """

    name = "query"
    _OPERATIONS: Final = frozenset({Operation.FIND})

    def __init__(
        self, catalog: Catalog, metrics: Metrics, *, ae_title: str, max_matches: int, page: int = 1000
    ) -> None:
        self._catalog = catalog
        self._metrics = metrics
        self._ae_title = ae_title
        self._max_matches = max_matches
        self._page = page

    def contexts(self, proposed: Sequence[PresentationContext]) -> Sequence[PresentationContext]:
        """See `service.DimseService`."""
        return contexts(proposed, self._OPERATIONS)

    def extended(self, sop_class_uid: str, proposed: bytes) -> bytes | None:
        """See `service.DimseService`."""
        return agree(sop_class_uid, proposed, self._OPERATIONS)

    def serve(self, assoc: Any, message: Any, context: PresentationContext) -> bool:
        """See `service.DimseService`."""
        if not isinstance(message, C_FIND) or message.MessageID is None:
            return False
        request = ServedRequest(assoc, message, context)
        if request.sop_class_uid not in MODELS:
            return False
        try:
            status, comment, matches = self._answer(request)
            request.respond(status, comment)
        except AssociationEnded:
            status, comment, matches = CANCELLED, "the peer ended the association", 0
        finally:
            request.finish()
        self._metrics.count("queries", status=f"{status:04X}")
        log.info(
            "query.answered",
            ae_title=request.calling_ae_title,
            status=f"{status:04X}",
            count=matches,
            reason=comment,
        )
        return True

    def _answer(self, request: ServedRequest) -> tuple[int, str, int]:
        """Send the matches; return status and comment of the last response, and how many were sent."""
        sent = 0
        try:
            model = MODELS[request.sop_class_uid]
            if request.message.Identifier is None or model.operation is not Operation.FIND:
                return DOES_NOT_MATCH, "the C-FIND request has no identifier", 0
            identifier = read_identifier(request.message.Identifier.getvalue(), request.encoding)
            find = read_find(identifier, model, options(model.operation, request.extended))
            for row in self._matches(find):
                if request.is_cancelled:
                    return CANCELLED, "", sent
                answer = Answer(row, find, self._ae_title)
                encoded = answer.encoded(request.encoding)
                request.respond(PENDING_INCOMPLETE if answer.incomplete else PENDING, identifier=encoded)
                sent += 1
        except AssociationEnded:
            raise
        except TooManyMatches:
            return TOO_MANY_MATCHES, f"more than {self._max_matches} matches: give narrower keys", sent
        except Exception as exc:  # noqa: BLE001 - the protocol edge: whatever happens, the peer gets a status
            return *failure_of(exc), sent
        return SUCCESS, "", sent

    def _matches(self, find: Find) -> Iterator[dict[str, Any]]:
        if find.level is Level.PATIENT:
            yield from self._patients(find)
        else:
            yield from self._rows(find.query, self._max_matches)

    def _rows(self, query: CatalogQuery, most: int | None) -> Iterator[dict[str, Any]]:
        """All rows of a query, page by page.

        Raises
        ------
        TooManyMatches
            Before the first row, where there are more than `most`.
        """
        offset = 0
        while True:
            page = self._catalog.search(replace(query, limit=self._page, offset=offset))
            if most is not None and page.total > most:
                raise TooManyMatches
            yield from page.rows
            offset += len(page.rows)
            if not page.rows or offset >= page.total:
                return

    def _patients(self, find: Find) -> Iterator[dict[str, Any]]:
        """One row for each patient, of the newest study."""
        seen: set[tuple[str, str]] = set()
        wanted = find.query.attributes
        query = replace(find.query, attributes=None if wanted is None else wanted | {_PATIENT_ID, _ISSUER})
        for study in self._rows(query, None):
            patient = _text(study, _PATIENT_ID), _text(study, _ISSUER)
            if patient in seen:
                continue
            if len(seen) == self._max_matches:
                raise TooManyMatches
            seen.add(patient)
            row = {tag: value for tag, value in study.items() if is_of_patient(tag)}
            yield row | self._counts(patient[0]) if find.counts_patients else row

    def _counts(self, patient_id: str) -> dict[str, Any]:
        """Numbers of studies, series and instances of a patient."""
        if not patient_id or set(patient_id) & set("*?\\"):
            return {}
        totals = [0, 0, 0]
        for study in self._rows(CatalogQuery(QueryLevel.STUDY, matches={_PATIENT_ID: patient_id}), None):
            related = (1, _number(study, "00201206"), _number(study, "00201208"))
            totals = [total + one for total, one in zip(totals, related, strict=True)]
        return {
            tag: {"vr": "IS", "Value": [total]} for tag, total in zip(PATIENT_COUNTS, totals, strict=True)
        }


def _text(row: dict[str, Any], tag: str) -> str:
    values = row.get(tag, {}).get("Value") or [""]
    return str(values[0])


def _number(row: dict[str, Any], tag: str) -> int:
    values = row.get(tag, {}).get("Value") or [0]
    return int(values[0])
