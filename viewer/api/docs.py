"""`/api/docs`: the operations of the OpenAPI document as a page, without any outside request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request

if TYPE_CHECKING:
    from fastapi.responses import HTMLResponse

    from viewer.dashboard.render import Renderer


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of an operation."""

    name: str
    where: str
    required: bool
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation, as the page shows it."""

    method: str
    path: str
    summary: str
    text: str
    parameters: tuple[Parameter, ...]
    answers: tuple[tuple[str, str], ...]

    @property
    def anchor(self) -> str:
        """Identifier of its heading."""
        return f"{self.method}{self.path}".replace("/", "-").replace("{", "").replace("}", "").lower()


def create_router(render: Renderer) -> APIRouter:
    """The page below `/api`."""
    router = APIRouter(prefix="/api", include_in_schema=False)

    @router.get("/docs")
    def docs(request: Request) -> HTMLResponse:
        document = request.app.openapi()
        return render(
            "api_docs.html",
            groups=operations(document),
            document_url=request.app.openapi_url or "/api/openapi.json",
        )

    return router


def operations(document: dict[str, Any]) -> list[tuple[str, list[Operation]]]:
    """Operations of an OpenAPI 3 document by their first tag, in the document's order.

    References
    ----------
    OpenAPI Specification 3.1.0 §4.8.8 (Paths Object)
    """
    groups: dict[str, list[Operation]] = {}
    for path, item in document.get("paths", {}).items():
        for method, operation in item.items():
            if method in {"get", "post", "put", "delete", "patch"}:
                tag = next(iter(operation.get("tags", [])), "other")
                groups.setdefault(tag, []).append(_operation(method, path, operation))
    return list(groups.items())


def _operation(method: str, path: str, operation: dict[str, Any]) -> Operation:
    return Operation(
        method=method.upper(),
        path=path,
        summary=operation.get("summary", ""),
        text=operation.get("description", ""),
        parameters=tuple(
            Parameter(
                name=p["name"],
                where=p["in"],
                required=p.get("required", False),
                kind=_kind(p.get("schema", {})),
                text=p.get("description", ""),
            )
            for p in operation.get("parameters", [])
        ),
        answers=tuple((code, a.get("description", "")) for code, a in operation.get("responses", {}).items()),
    )


def _kind(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"].rsplit("/", 1)[-1])
    options = [_kind(s) for s in schema.get("anyOf", []) if s.get("type") != "null"]
    return " or ".join(options) or str(schema.get("type", "any"))
