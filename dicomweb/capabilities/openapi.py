"""The transactions as an OpenAPI document.

References
----------
OpenAPI Specification 3.1.0.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from dicomweb.capabilities.transactions import path_parameters
from dicomweb.errors import PROBLEM_JSON
from dicomweb.media_types import DICOM_JSON, JSON

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dicomweb.capabilities.transactions import Parameter, Transaction

#: Of a body that is no JSON.
_BINARY: dict[str, Any] = {"type": "string", "format": "binary"}
_DATA_SETS = {"type": "array", "items": {"$ref": "#/components/schemas/DataSet"}}
_DATA_SET: dict[str, Any] = {
    "type": "object",
    "description": "A data set in the DICOM JSON Model (PS3.18 Annex F).",
    "patternProperties": {
        "^[0-9A-F]{8}$": {
            "type": "object",
            "properties": {
                "vr": {"type": "string", "pattern": "^[A-Z]{2}$"},
                "Value": {"type": "array"},
                "BulkDataURI": {"type": "string"},
                "InlineBinary": {"type": "string"},
            },
            "required": ["vr"],
        }
    },
    "additionalProperties": False,
}
_PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "A problem document (RFC 9457).",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
    },
    "required": ["title", "status", "detail"],
}
_WITHOUT_BODY = frozenset({204, 304})


def openapi_document(transactions: Iterable[Transaction], base: str, title: str) -> dict[str, Any]:
    """The document; `base` is the absolute URL under which the paths lie."""
    paths: dict[str, dict[str, Any]] = {}
    for transaction in transactions:
        paths.setdefault(transaction.path, {})[transaction.method.lower()] = _operation(transaction)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": title,
            "version": "PS3.18",
            "description": "DICOMweb over pseudonymous objects. Research use only, not for diagnosis.",
        },
        "servers": [{"url": base}],
        "paths": paths,
        "components": {"schemas": {"DataSet": _DATA_SET, "Problem": _PROBLEM}},
    }


def _operation(transaction: Transaction) -> dict[str, Any]:
    parameters = (*path_parameters(transaction.path), *transaction.parameters)
    operation: dict[str, Any] = {
        "operationId": transaction.identifier,
        "summary": transaction.title,
        "description": f"PS3.18 §{transaction.clause}",
        "tags": [transaction.clause.split(".")[0]],
        "parameters": [_parameter(parameter) for parameter in parameters],
        "responses": _responses(transaction),
    }
    if transaction.consumes:
        content = {media_type.split(";")[0]: {"schema": _BINARY} for media_type in transaction.consumes}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _parameter(parameter: Parameter) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": parameter.name,
        "in": parameter.place,
        "description": parameter.description,
        "required": parameter.required,
        "schema": parameter.schema,
    }
    if parameter.clause:
        described["description"] += f" (PS3.18 §{parameter.clause})"
    return described


def _responses(transaction: Transaction) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status in sorted(transaction.successes):
        response: dict[str, Any] = {"description": HTTPStatus(status).phrase}
        if status not in _WITHOUT_BODY and transaction.produces:
            response["content"] = _content(transaction.produces, transaction.method)
        responses[str(status)] = response
    problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
    for status in sorted(transaction.failures):
        responses[str(status)] = {
            "description": HTTPStatus(status).phrase,
            "content": {PROBLEM_JSON: problem},
        }
    return responses


def _content(media_types: Sequence[str], method: str) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for media_type in media_types:
        name = media_type.split(";")[0]
        structured = name in {DICOM_JSON, JSON}
        one = {"$ref": "#/components/schemas/DataSet"}
        schema = (_DATA_SETS if method == "GET" else one) if structured else _BINARY
        content[name] = {"schema": schema}
    return content
