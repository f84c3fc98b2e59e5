"""Capabilities, OPTIONS, and answers where there is nothing (PS3.18 §8.9, Annex H; RFC 9110)."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from fastapi.routing import iter_route_contexts

from dicomweb.capabilities.studies import studies_transactions
from dicomweb.capabilities.uri_service import uri_transactions
from dicomweb.capabilities.worklist import worklist_transactions

W = "{http://wadl.dev.java.net/2009/02}"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
TRANSACTIONS = (*studies_transactions(), *worklist_transactions())


def wadl_methods(content: bytes) -> set[tuple[str, str]]:
    """(method, path) of every method element, and a check that there is one resources element."""
    application = ET.fromstring(content)
    assert application.tag == f"{W}application"
    (resources,) = application.findall(f"{W}resources")
    assert resources.get("base", "").endswith("/dicom-web/")
    found = set()

    def walk(element: Any, path: str) -> None:
        for resource in element.findall(f"{W}resource"):
            here = f"{path}/{resource.get('path')}"
            found.update((method.get("name"), here) for method in resource.findall(f"{W}method"))
            walk(resource, here)

    walk(resources, "")
    return found


@pytest.mark.clause("8.9.4")
@pytest.mark.parametrize("accept", [None, "*/*", "application/vnd.sun.wadl+xml", "application/xml"])
def test_options_of_the_base_describes_every_transaction(client: Any, accept: str | None) -> None:
    headers = {} if accept is None else {"Accept": accept}
    response = client.request("OPTIONS", "/dicom-web/", headers=headers)
    assert response.status_code == 200
    assert response.headers["content-type"] in {"application/vnd.sun.wadl+xml", "application/xml"}
    assert wadl_methods(response.content) == {(t.method, t.path) for t in TRANSACTIONS}


@pytest.mark.clause("8.9.4")
def test_the_description_comes_as_json_too(client: Any) -> None:
    response = client.request("OPTIONS", "/dicom-web/", headers={"Accept": "application/json"})
    assert response.headers["content-type"] == "application/json"
    resources = response.json()["application"]["resources"]
    assert resources["base"] == "http://node.test/dicom-web/"
    assert {r["path"] for r in resources["resource"]} == {
        "studies",
        "series",
        "instances",
        "workitems",
        "subscribers",
    }


@pytest.mark.clause("8.9.1")
def test_a_media_type_that_cannot_be_given_is_406(client: Any) -> None:
    response = client.request("OPTIONS", "/dicom-web/", headers={"Accept": "image/png"})
    assert response.status_code == 406


@pytest.mark.clause("H")
def test_options_of_a_resource_describes_it_and_what_lies_below(client: Any) -> None:
    response = client.request("OPTIONS", "/dicom-web/studies/1.2/series/1.3")
    methods = wadl_methods(response.content)
    base = "/studies/{study}/series/{series}"
    assert ("GET", base) in methods
    assert ("GET", f"{base}/instances/{{instance}}/frames/{{frames}}/rendered") in methods
    assert all(path.startswith(base) for _, path in methods)


@pytest.mark.clause("8.9.1.1")
@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("", "GET, HEAD, OPTIONS"),
        ("studies", "GET, HEAD, OPTIONS, POST"),
        ("studies/1.2", "GET, HEAD, OPTIONS, POST"),
        ("studies/1.2/series/1.3/instances/1.4/thumbnail", "GET, HEAD, OPTIONS"),
        ("studies/1.2/series/1.3/instances/1.4/bulkdata/7FE00010", "GET, HEAD, OPTIONS"),
        ("workitems/1.2/state", "OPTIONS, PUT"),
        ("openapi.json", "GET, HEAD, OPTIONS"),
    ],
)
def test_options_tells_the_methods_of_a_resource(client: Any, path: str, allow: str) -> None:
    response = client.request("OPTIONS", f"/dicom-web/{path}")
    assert (response.status_code, response.headers["allow"]) == (200, allow)


@pytest.mark.clause("8.5")
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"])
@pytest.mark.parametrize("path", ["nothing", "studies/1.2/nothing", "studies/1.2/series/1.3/instances"])
def test_unknown_resources_are_404_and_unknown_methods_405(client: Any, method: str, path: str) -> None:
    response = client.request(method, f"/dicom-web/{path}")
    if path.endswith("nothing"):
        assert response.status_code == 404
    elif method not in {"GET", "HEAD", "OPTIONS"}:
        assert response.status_code == 405
        assert response.headers["allow"] == "GET, HEAD, OPTIONS"
    if response.status_code >= 400:
        assert response.headers["content-type"] == "application/problem+json"
    if response.status_code >= 400 and method != "HEAD":
        assert response.json()["status"] == response.status_code


@pytest.mark.clause("8.5")
def test_a_slash_too_many_leads_to_the_resource(client: Any) -> None:
    response = client.get("/dicom-web/studies/?limit=3")
    assert response.status_code == 308
    assert response.headers["location"] == "http://node.test/dicom-web/studies?limit=3"


def test_head_is_get_without_a_body(client: Any, node: Any, support: Any) -> None:
    """RFC 9110 §9.3.2"""
    entry = node.publish(support.slice_dataset(1))
    base = "/dicom-web/studies/2.25.10/series/2.25.20"
    for tail in ("/metadata", f"/instances/{entry.sop_instance_uid}/rendered", ""):
        got, head = client.get(base + tail), client.request("HEAD", base + tail)
        assert head.content == b""
        assert got.content
        assert head.status_code == got.status_code == 200
        assert head.headers["etag"] == got.headers["etag"]
        kind = got.headers["content-type"].split("boundary")[0]
        assert head.headers["content-type"].split("boundary")[0] == kind


def test_the_base_is_a_page_for_people(client: Any) -> None:
    page = client.get("/dicom-web/", BROWSER)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "http://node.test/dicom-web" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert client.get("/dicom-web/").json()["application"]["resources"]["resource"]
    assert wadl_methods(client.get("/dicom-web/", "application/vnd.sun.wadl+xml").content)


def routes_of(node: Any) -> set[tuple[str, str]]:
    return {
        (method, re.sub(r":\w+}", "}", route.path.removeprefix("/dicom-web")))
        for route in iter_route_contexts(node.app.routes)
        for method in (route.methods or ())
        if "{tail" not in route.path and not route.path.startswith(("/docs", "/redoc", "/openapi.json"))
    }


@pytest.mark.clause("H")
def test_description_and_routes_agree(node: Any) -> None:
    described = {(t.method, t.path) for t in (*TRANSACTIONS, *uri_transactions())}
    routes = {(m, p) for m, p in routes_of(node) if m not in {"HEAD", "OPTIONS"} and p != "/openapi.json"}
    assert {(m, p) for m, p in routes if p != "/wado"} == {(m, p) for m, p in described if p != "/wado"}
    assert ("GET", "/wado") in routes


def test_openapi_document_names_every_transaction(client: Any) -> None:
    document = client.get("/dicom-web/openapi.json").json()
    assert document["servers"] == [{"url": "http://node.test/dicom-web"}]
    named = {
        (method.upper(), path, operation["operationId"])
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    assert named == {(t.method, t.path, t.identifier) for t in TRANSACTIONS}
