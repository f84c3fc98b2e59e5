"""Which test shows which clause, read from the markers in the conformance tests' source."""

from __future__ import annotations

import ast
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "conformance" / "dicomweb"
#: Titles of sections of PS3.18; a clause without one stands under its nearest title.
TITLES = {
    "8.3.3": "Content negotiation query parameters",
    "8.3.4": "Search query parameters",
    "8.3.4.1": "Attribute matching",
    "8.3.4.2": "Fuzzy matching",
    "8.3.4.3": "Attributes to return",
    "8.3.4.4": "Paging",
    "8.3.4.5": "Empty value matching",
    "8.3.4.6": "Multiple value matching",
    "8.3.5": "Rendering query parameters",
    "8.3.5.1": "Rendered resources",
    "8.3.5.1.1": "Annotation",
    "8.3.5.1.2": "Quality",
    "8.3.5.1.3": "Viewport",
    "8.3.5.1.4": "Windowing",
    "8.3.5.1.5": "ICC profile",
    "8.3.5.2": "Thumbnails",
    "8.4": "Header fields",
    "8.5": "Status codes",
    "8.6": "Payloads",
    "8.6.1": "Payload format",
    "8.7": "Media types",
    "8.7.3": "DICOM media types",
    "8.7.4": "Rendered media types",
    "8.7.5": "Acceptable media types",
    "8.7.8": "Selection of media types",
    "8.9": "Retrieve Capabilities",
    "8.10": "Notifications",
    "9": "URI Service",
    "9.3": "Transactions overview",
    "9.4": "Retrieve DICOM Instance",
    "9.5": "Retrieve Rendered Instance",
    "10.4": "Retrieve",
    "10.4.1.1.1": "Instance resources",
    "10.4.1.1.2": "Metadata resources",
    "10.4.1.1.3": "Rendered resources",
    "10.4.1.1.4": "Thumbnail resources",
    "10.4.1.1.5": "Bulk data resources",
    "10.4.1.1.6": "Pixel data resources",
    "10.4.3": "Retrieve: response",
    "10.4.3.3.3": "Rendered payload",
    "10.4.3.3.4": "Thumbnail payload",
    "10.5": "Store",
    "10.5.1": "Store: request",
    "10.5.2": "Store: behaviour",
    "10.5.3": "Store: response",
    "10.6": "Search",
    "10.6.1": "Search: request",
    "10.6.3": "Search: response",
    "11": "Worklist Service",
    "11.4": "Create Workitem",
    "11.5": "Retrieve Workitem",
    "11.6": "Update Workitem",
    "11.7": "Change Workitem State",
    "11.8": "Request Cancellation",
    "11.9": "Search for Workitems",
    "11.10": "Subscribe",
    "11.11": "Unsubscribe",
    "11.12": "Suspend Global Subscription",
    "11.13": "Open Event Channel, Send Event Report",
    "F": "DICOM JSON Model",
    "F.2": "JSON model: structure and values",
    "H": "Capabilities description",
    "I": "Store Instances response module",
}


def clauses() -> dict[str, list[str]]:
    """Tests by the clause that they show, as `module::test`."""
    found: dict[str, list[str]] = {}
    for path in sorted(FOLDER.glob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        shared = [
            name
            for node in tree.body
            if isinstance(node, ast.Assign)
            and any(isinstance(t, ast.Name) and t.id == "pytestmark" for t in node.targets)
            for name in _marked(node.value)
        ]
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                own = [name for decorator in node.decorator_list for name in _marked(decorator)]
                for name in dict.fromkeys(own or shared):
                    found.setdefault(name, []).append(f"{path.stem}::{node.name}")
    return dict(sorted(found.items(), key=lambda entry: order(entry[0])))


def title_of(clause: str) -> str:
    """The title of a clause, or of the section that it belongs to."""
    section = clause
    while section and section not in TITLES:
        section = section.rpartition(".")[0]
    return TITLES.get(section, "")


def order(clause: str) -> tuple[object, ...]:
    """Sorts clauses as the standard's contents do: chapters, annexes, other parts."""
    part, _, number = clause.rpartition(" ")
    pieces = number.split(".")
    return (bool(part), part, *((not p.isdigit(), int(p) if p.isdigit() else 0, p) for p in pieces))


def _marked(node: ast.expr) -> list[str]:
    """The clauses of `pytest.mark.clause(...)` expressions within."""
    return [
        str(argument.value)
        for call in ast.walk(node)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "clause"
        for argument in call.args
        if isinstance(argument, ast.Constant)
    ]
