"""The base of the service, and answers for whatever no other route takes.

`OPTIONS` of the base gives the capabilities description, of a resource its part of it; unknown paths and
methods get problem documents.

References
----------
PS3.18 §8.9 (Retrieve Capabilities), RFC 9110 §9.3.7 (OPTIONS), §15.5.5 (404), §15.5.6 (405, Allow).
"""

from __future__ import annotations

import html
import json
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.routing import iter_route_contexts
from starlette.responses import RedirectResponse, Response

from dicomweb.capabilities.description import WADL, resource_tree, to_json, to_wadl
from dicomweb.capabilities.openapi import openapi_document
from dicomweb.errors import Problem
from dicomweb.media_types import JSON, Offer, negotiate
from dicomweb.routing import accept_of, origin_of, route_class

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dicom_node.ports.operation import Metrics
    from dicomweb.capabilities.transactions import Transaction

XML = "application/xml"
HTML = "text/html"
#: Name of routes that only say what can be done, and where.
ELSEWHERE = "elsewhere"
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"]
DOCUMENT = "/openapi.json"
_OFFERS = (Offer(WADL), Offer(JSON), Offer(XML))
_PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


def create_capabilities_router(
    services: APIRouter, transactions: Sequence[Transaction], metrics: Metrics, service_name: str
) -> APIRouter:
    """The router of the base; include it after all others.

    Parameters
    ----------
    services
        The router that holds the routes of all services; their methods are what `Allow` names.
    """
    router = APIRouter(route_class=route_class("capabilities", metrics), include_in_schema=False)
    base = BaseEndpoints(services, transactions, service_name)
    router.get(DOCUMENT)(base.document)
    router.api_route("/{tail:path}", methods=METHODS, name=ELSEWHERE)(base.answer)
    return router


class BaseEndpoints:
    """What the routes call."""

    def __init__(self, services: APIRouter, transactions: Sequence[Transaction], name: str) -> None:
        self._routes = tuple(iter_route_contexts(services.routes))
        self._transactions = transactions
        self._name = name

    def document(self, request: Request) -> Response:
        """The OpenAPI document."""
        base = origin_of(request) + request.scope["path"].removesuffix(DOCUMENT)
        document = openapi_document(self._transactions, base, f"{self._name} DICOMweb")
        return Response(json.dumps(document), headers={"Content-Type": JSON, "Cache-Control": "no-cache"})

    def answer(self, request: Request) -> Response:
        """Capabilities, a redirect to the resource without the slash at its end, 404 or 405."""
        tail: str = request.path_params["tail"]
        path: str = request.scope["path"]
        base = origin_of(request) + path.removesuffix(tail).rstrip("/")
        resource = "/" + tail.rstrip("/")
        if resource in {"/", DOCUMENT}:
            allowed, template = ["GET", "HEAD", "OPTIONS"], resource.rstrip("/")
            if not template and request.method in {"GET", "HEAD"}:
                return self._page(request, base)
        else:
            allowed, template = self._allowed(resource)
        if not allowed:
            raise Problem(
                HTTPStatus.NOT_FOUND,
                f"there is no such resource; OPTIONS {base}/ lists those that are",
                code="no-such-resource",
            )
        if request.method == "OPTIONS":
            return self._capabilities(request, base, template, allowed)
        if tail.endswith("/") and request.method in allowed:
            query = f"?{request.url.query}" if request.url.query else ""
            return RedirectResponse(f"{base}{resource}{query}", HTTPStatus.PERMANENT_REDIRECT)
        raise Problem(
            HTTPStatus.METHOD_NOT_ALLOWED,
            f"this resource takes {', '.join(allowed)}",
            code="method-not-allowed",
            headers={"Allow": ", ".join(allowed)},
        )

    def _allowed(self, resource: str) -> tuple[list[str], str]:
        """The methods of a resource, and the template of its path."""
        methods: set[str] = set()
        template = ""
        for route in self._routes:
            regex = route.path_regex
            if regex is not None and regex.match(resource):
                methods |= route.methods or set()
                template = template or (route.path or "").replace(":path}", "}")
        return (sorted({*methods, "OPTIONS"}) if methods else []), template

    def _capabilities(self, request: Request, base: str, template: str, allowed: Sequence[str]) -> Response:
        offer = negotiate(accept_of(request), _OFFERS)
        tree = resource_tree(self._transactions, template)
        body = json.dumps(to_json(tree, base)) if offer.media_type == JSON else to_wadl(tree, base)
        headers = {"Allow": ", ".join(allowed), "Content-Type": offer.media_type, "Vary": "Accept"}
        return Response(body, headers=headers)

    def _page(self, request: Request, base: str) -> Response:
        offer = negotiate(accept_of(request), (Offer(JSON), Offer(HTML), Offer(WADL), Offer(XML)))
        headers = {"Content-Type": offer.media_type, "Vary": "Accept"}
        tree = resource_tree(self._transactions)
        if offer.media_type == JSON:
            return Response(json.dumps(to_json(tree, base)), headers=headers)
        if offer.media_type != HTML:
            return Response(to_wadl(tree, base), headers=headers)
        headers |= {"Content-Type": f"{HTML}; charset=utf-8", "Content-Security-Policy": _PAGE_POLICY}
        return Response(self._html(base), headers=headers)

    def _html(self, base: str) -> str:
        rows = "\n".join(
            f"<tr><td>{html.escape(t.method)}</td><td><code>{html.escape(t.path)}</code></td>"
            f"<td>{html.escape(t.title)}</td><td>PS3.18 §{html.escape(t.clause)}</td></tr>"
            for t in self._transactions
        )
        shown = html.escape(base)
        return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>DICOMweb</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body{{font:16px/1.5 system-ui,sans-serif;margin:2em auto;max-width:60em;padding:0 1em}}
td,th{{text-align:left;padding:.2em 1em .2em 0;vertical-align:top}}</style></head>
<body><h1>DICOMweb</h1>
<p>Give <code>{shown}</code> to a DICOMweb client as its base URL. Studies are pseudonymous.</p>
<p><code>curl -H 'Accept: application/dicom+json' {shown}/studies?limit=5</code></p>
<p>For programs: <a href="{shown}{DOCUMENT}">OpenAPI</a>; <code>OPTIONS {shown}/</code> answers with the
capabilities (PS3.18 §8.9).</p>
<table><tr><th>Method</th><th>Resource</th><th>Transaction</th><th>Standard</th></tr>
{rows}
</table></body></html>
"""
