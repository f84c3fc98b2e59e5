"""The OpenAPI document as the server really answers: errors are problem objects, and never 422.

FastAPI describes a refused parameter as 422 in a form of its own; `viewer.problems` answers it as 400.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from viewer.problems import MEDIA_TYPE

if TYPE_CHECKING:
    from fastapi import FastAPI

_PROBLEM = {
    "description": "The request cannot be done; `detail` says why.",
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemOut"}}},
}


def install_document(app: FastAPI) -> None:
    """Let the application give out the corrected document."""
    generated = app.openapi

    def openapi() -> dict[str, Any]:
        made = app.openapi_schema is None
        document = generated()
        if made:
            correct(document)
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def correct(document: dict[str, Any]) -> None:
    """Describe failures as they are; the document is changed.

    References
    ----------
    RFC 9457 (problem details), OpenAPI Specification 3.1.0 §4.8.16 (Responses Object)
    """
    for item in document.get("paths", {}).values():
        for operation in item.values():
            responses = operation["responses"]
            if responses.pop("422", None) is not None:
                responses.setdefault("400", _PROBLEM)
            for status, response in responses.items():
                if status.startswith(("4", "5")) and "application/json" in response.get("content", {}):
                    response["content"] = _PROBLEM["content"]
