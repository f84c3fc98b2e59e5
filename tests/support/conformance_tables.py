"""The tables of docs/conformance.md, made from the code and from what a running service answers."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from conformance_clauses import clauses, title_of
from dicomweb_node import Client, Node
from pydicom.uid import UID
from rendered_samples import CATEGORIES

from dicom_node.domain import errors
from dicom_node.domain.catalog import QueryLevel
from dicom_node.settings import Settings
from dicomweb.capabilities.studies import RENDERING_PARAMETERS, SEARCH_PARAMETERS, studies_transactions
from dicomweb.capabilities.uri_service import PARAMETERS as URI_PARAMETERS
from dicomweb.capabilities.uri_service import uri_transactions
from dicomweb.capabilities.worklist import worklist_transactions
from dicomweb.errors import ELEMENTS_DISCARDED, STUDY_INSTANCE_UID_DISAGREES, map_error, mapped_types
from dicomweb.qido import parameters as qido
from dicomweb.qido.encoding import default_keys
from dicomweb.stow import metadata as stow_metadata
from dicomweb.ups import parameters as ups
from dicomweb.ups import payload as ups_payload
from dicomweb.wado import pictures, service
from dicomweb.wado.frames import can_decode
from dicomweb.wado.negotiation import PIXEL_MEDIA_TYPES, frame_offers
from dicomweb.wado.rendering_parameters import MAX_VIEWPORT
from dicomweb.wado.transcoding import TARGETS
from dicomweb.wado.video import is_video

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dicomweb.capabilities.transactions import Parameter, Transaction


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Rows as a Markdown table."""
    heads = list(head)
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    lines += ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def code(text: str) -> str:
    return f"`{text}`" if text else ""


def media(types: Iterable[str]) -> str:
    """Media types, singles and the content of multiparts apart."""
    kinds = list(types)
    multipart = [match[1] for kind in kinds if (match := re.search(r'type="(.+?)"', kind))]
    single = [kind for kind in kinds if not kind.startswith("multipart/")]
    text = ", ".join(code(kind) for kind in single)
    if multipart:
        text += ("; " if text else "") + "multipart of " + ", ".join(code(kind) for kind in multipart)
    return text


def transaction_table(transactions: Iterable[Transaction]) -> str:
    return table(
        ("Method", "Resource", "Transaction", "PS3.18", "Request media types", "Response media types"),
        (
            (t.method, code(t.path), t.title, f"§{t.clause}", media(t.consumes), media(t.produces))
            for t in transactions
        ),
    )


def status_table() -> str:
    transactions = (*studies_transactions(), *uri_transactions(), *worklist_transactions())
    names: dict[int, list[str]] = {}
    for transaction in transactions:
        for status in (*transaction.successes, *transaction.failures):
            group = re.sub(r" (of|for|in|with).*|, .*", "", transaction.title).split()[0]
            if group not in names.setdefault(status, []):
                names[status].append(group)
    rows = [(status, HTTPStatus(status).phrase, ", ".join(names[status])) for status in sorted(names)]
    return table(("Status", "Meaning", "Transactions"), rows)


def parameter_table(parameters: Iterable[Parameter]) -> str:
    def values(parameter: Parameter) -> str:
        schema = parameter.schema
        if "enum" in schema:
            return ", ".join(code(str(value)) for value in schema["enum"])
        if "minimum" in schema:
            return f"{schema['type']}, {schema['minimum']} to {schema.get('maximum', 'any')}"
        return "UID" if schema.get("maxLength") == 64 else "text"

    return table(
        ("Parameter", "Values", "Meaning", "PS3.18"),
        ((code(p.name), values(p), p.description, f"§{p.clause}" if p.clause else "") for p in parameters),
    )


def match_keys() -> str:
    rows = []
    for level, keys in qido.MATCH_KEYS.items():
        rows += [(level.value, code(key)) for key in keys]
    return table(("Level", "Attribute"), rows)


def return_keys() -> str:
    from pydicom.datadict import keyword_for_tag

    rows = []
    for level in QueryLevel:
        keys = default_keys(level, across_studies=False, across_series=False)
        rows.append((level.value, ", ".join(keyword_for_tag(int(tag, 16)) for tag, _ in keys)))
    return table(("Level", "Attributes"), rows)


def transfer_syntaxes() -> str:
    rows = []
    for uid in ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"):
        never = uid in {"1.2.840.10008.1.2", "1.2.840.10008.1.2.2"}
        rows.append((UID(uid).name, uid, "yes", "no" if never else "yes", "yes", "octets"))
    for uid, types in sorted(PIXEL_MEDIA_TYPES.items(), key=lambda entry: _numbers(entry[0])):
        name = UID(uid).name
        if name == uid:
            continue
        native = any(o.transfer_syntax == "1.2.840.10008.1.2.1" for o in frame_offers(uid, None, 1))
        shown = "frames by a video decoder" if is_video(uid) else "yes" if can_decode(uid) else "no"
        rows.append((name, uid, "yes", "yes", "yes" if native else "no", ", ".join(map(code, types)), shown))
    return table(
        ("Transfer syntax", "UID", "Stored", "Given as stored", "Decoded", "Pixel data as", "Rendered"),
        (row if len(row) == 7 else (*row, "yes") for row in rows),
    )


def _numbers(uid: str) -> list[int]:
    return [int(piece) for piece in uid.split(".")]


def made_syntaxes() -> str:
    rows = [("Explicit VR Little Endian", "1.2.840.10008.1.2.1", "the default")]
    rows += [(UID(uid).name, uid, "where it is asked for; without loss") for uid in TARGETS]
    return table(("Transfer syntax", "UID", "When"), rows)


#: What can come over an instance while it is stored.
_OF_STORING = (
    errors.InvalidInstance,
    errors.NotAuthorised,
    errors.OutOfResources,
    errors.StorageFailure,
    errors.UnsupportedSopClass,
    errors.UnsupportedTransferSyntax,
    errors.InternalError,
)


def failure_reasons() -> str:
    names: dict[int, list[str]] = {
        STUDY_INSTANCE_UID_DISAGREES: ["the instance belongs to another study than the URL"],
        ELEMENTS_DISCARDED: ["warning: other bytes are kept under the same SOP Instance UID"],
    }
    for kind in mapped_types():
        if issubclass(kind, _OF_STORING):
            names.setdefault(map_error(kind("")).failure_reason, []).append(code(kind.code))
    return table(
        ("Reason", "When"),
        ((f"{reason:04X}H", ", ".join(sorted(names[reason]))) for reason in sorted(names)),
    )


def limits() -> str:
    http = Settings.model_fields["http"].annotation.model_fields  # type: ignore[union-attr]
    return table(
        ("What", "Limit", "Beyond it"),
        (
            ("Bytes of a STOW-RS body", f"`http.max_upload_mb` ({http['max_upload_mb'].default} MiB)", 413),
            (
                "STOW-RS bodies at a time",
                f"`http.max_uploads` ({http['max_uploads'].default})",
                "503, Retry-After",
            ),
            ("Bytes of STOW-RS metadata", f"{stow_metadata.MAX_METADATA >> 20} MiB", "failure reason"),
            ("Results of one search", qido.MAX_ROWS, "Warning; use `offset`"),
            ("Work items of one search", ups.MAX_ROWS, "206; use `offset`"),
            ("Bytes of a work item", f"{ups_payload.MAX_BYTES >> 10} KiB", 413),
            ("Frames in one request", service.MAX_FRAMES, 413),
            ("Sides of a viewport", f"{MAX_VIEWPORT} pixels", 400),
            ("Frames of a GIF or MP4", pictures.MAX_ANIMATION, "thinned out evenly"),
        ),
    )


def rendered_types() -> str:
    """Asks a running service for every media type of every category of objects."""
    types = [kind for kind in pictures.rendered_media_types() if not kind.startswith("multipart/")]
    rows = []
    for category, make in CATEGORIES.items():
        node = Node()
        entry = node.publish(make())
        url = (
            f"/dicom-web/studies/{entry.study_instance_uid}/series/{entry.series_instance_uid}"
            f"/instances/{entry.sop_instance_uid}/rendered"
        )
        client = Client(node.app)
        given = []
        for kind in types:
            response = client.get(url, kind)
            assert response.status_code in {200, 406}, (category, kind, response.status_code)
            given.append("yes" if response.status_code == 200 else "")
        default = client.get(url).headers["content-type"].split(";")[0]
        rows.append((category, *given, code(default)))
    return table(("Category", *(code(kind) for kind in types), "Default"), rows)


def clause_table() -> str:
    found = clauses()
    rows = []
    for clause, tests in found.items():
        modules = dict.fromkeys(code(f"{test.partition('::')[0]}.py") for test in tests)
        rows.append((clause if " " in clause else f"§{clause}", title_of(clause), ", ".join(modules)))
    return table(("Clause", "Section", "Tests"), rows)


TABLES: dict[str, Callable[[], str]] = {
    "studies": lambda: transaction_table(studies_transactions()),
    "uri": lambda: transaction_table(uri_transactions()),
    "worklist": lambda: transaction_table(worklist_transactions()),
    "search-parameters": lambda: parameter_table(SEARCH_PARAMETERS),
    "rendering-parameters": lambda: parameter_table(RENDERING_PARAMETERS),
    "uri-parameters": lambda: parameter_table(URI_PARAMETERS),
    "match-keys": match_keys,
    "return-keys": return_keys,
    "rendered-types": rendered_types,
    "transfer-syntaxes": transfer_syntaxes,
    "made-syntaxes": made_syntaxes,
    "status-codes": status_table,
    "failure-reasons": failure_reasons,
    "limits": limits,
    "clauses": clause_table,
}
_BLOCK = re.compile(r"(<!-- begin: ([a-z-]+) -->\n).*?(<!-- end: \2 -->)", re.DOTALL)


def names_in(document: str) -> list[str]:
    """The tables that a document has room for."""
    return [match[2] for match in _BLOCK.finditer(document)]


def filled(document: str, name: str, text: str) -> str:
    """The document with one table in its place."""

    def put(match: re.Match[str]) -> str:
        return f"{match[1]}{text}\n{match[3]}" if match[2] == name else match[0]

    return _BLOCK.sub(put, document)
