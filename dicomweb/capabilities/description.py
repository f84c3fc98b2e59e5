"""The capabilities description: transactions as a tree of resources, in WADL and as JSON.

References
----------
PS3.18 §8.9 (Retrieve Capabilities), PS3.18 Annex H, Web Application Description Language (W3C, 2009).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from dicomweb.capabilities.transactions import path_parameters
from dicomweb.errors import PROBLEM_JSON

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dicomweb.capabilities.transactions import Parameter, Transaction

WADL = "application/vnd.sun.wadl+xml"
_NAMESPACE = "http://wadl.dev.java.net/2009/02"
_STYLES = {"query": "query", "header": "header", "path": "template"}


@dataclass(slots=True)
class Resource:
    """One segment of a path, with what can be done there and what lies below."""

    segment: str
    transactions: list[Transaction] = field(default_factory=list)
    children: dict[str, Resource] = field(default_factory=dict)


def resource_tree(transactions: Iterable[Transaction], below: str = "") -> Resource:
    """The resources of the transactions whose path is `below` or lies under it."""
    root = Resource("")
    for transaction in transactions:
        if not (transaction.path + "/").startswith(below.rstrip("/") + "/"):
            continue
        place = root
        for segment in transaction.path.strip("/").split("/"):
            place = place.children.setdefault(segment, Resource(segment))
        place.transactions.append(transaction)
    return root


def to_wadl(root: Resource, base: str) -> bytes:
    """The tree as a WADL document; `base` is the absolute URL of the service."""
    application = Element("application", {"xmlns": _NAMESPACE})
    resources = SubElement(application, "resources", {"base": f"{base}/"})
    for child in root.children.values():
        _add_resource(resources, child)
    indent(application)
    document: bytes = tostring(application, encoding="utf-8")
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + document + b"\n"


def to_json(root: Resource, base: str) -> dict[str, Any]:
    """The tree as the WADL document has it, elements as members."""
    return {"application": {"resources": {"base": f"{base}/", "resource": _resources(root)}}}


def _resources(parent: Resource) -> list[dict[str, Any]]:
    return [
        {
            "path": child.segment,
            "method": [_method(transaction) for transaction in child.transactions],
            "resource": _resources(child),
        }
        for child in parent.children.values()
    ]


def _method(transaction: Transaction) -> dict[str, Any]:
    return {
        "name": transaction.method,
        "id": transaction.identifier,
        "title": transaction.title,
        "reference": f"PS3.18 §{transaction.clause}",
        "request": {
            "param": [
                {"name": parameter.name, "style": _STYLES[parameter.place], "doc": parameter.description}
                for parameter in (*path_parameters(transaction.path), *transaction.parameters)
            ],
            "representation": list(transaction.consumes),
        },
        "response": [
            {"status": list(transaction.successes), "representation": list(transaction.produces)},
            {"status": list(transaction.failures), "representation": [PROBLEM_JSON]},
        ],
    }


def _add_resource(parent: Element, resource: Resource) -> None:
    element = SubElement(parent, "resource", {"path": resource.segment})
    for parameter in path_parameters(resource.segment):
        _add_parameter(element, parameter)
    for transaction in resource.transactions:
        _add_method(element, transaction)
    for child in resource.children.values():
        _add_resource(element, child)


def _add_method(parent: Element, transaction: Transaction) -> None:
    attributes = {"name": transaction.method, "id": transaction.identifier}
    method = SubElement(parent, "method", attributes)
    SubElement(method, "doc", {"title": f"{transaction.title} (PS3.18 §{transaction.clause})"})
    request = SubElement(method, "request")
    if transaction.produces:
        accept = {"name": "Accept", "style": "header", "default": transaction.produces[0]}
        _add_options(SubElement(request, "param", accept), transaction.produces)
    for parameter in transaction.parameters:
        _add_parameter(request, parameter)
    for media_type in transaction.consumes:
        SubElement(request, "representation", {"mediaType": media_type})
    _add_response(method, transaction.successes, transaction.produces)
    _add_response(method, transaction.failures, (PROBLEM_JSON,))


def _add_response(parent: Element, statuses: Sequence[int], media_types: Sequence[str]) -> None:
    response = SubElement(parent, "response", {"status": " ".join(str(status) for status in statuses)})
    SubElement(response, "doc", {"title": ", ".join(HTTPStatus(status).phrase for status in statuses)})
    for media_type in media_types:
        SubElement(response, "representation", {"mediaType": media_type})


def _add_parameter(parent: Element, parameter: Parameter) -> None:
    attributes = {"name": parameter.name, "style": _STYLES[parameter.place]}
    if parameter.required:
        attributes["required"] = "true"
    element = SubElement(parent, "param", attributes)
    SubElement(element, "doc", {"title": parameter.description})
    _add_options(element, parameter.schema.get("enum", ()))


def _add_options(parent: Element, values: Iterable[str]) -> None:
    for value in values:
        SubElement(parent, "option", {"value": str(value)})
