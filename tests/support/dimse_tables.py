"""The tables of docs/conformance-dimse.md, made from the code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance_tables import code, table
from pydicom.uid import UID, UID_dictionary

from dicom_node.dimse import query_statuses, statuses
from dicom_node.dimse.commitment_messages import SOP_CLASS as COMMITMENT
from dicom_node.dimse.commitment_messages import TRANSFER_SYNTAXES as COMMITMENT_SYNTAXES
from dicom_node.dimse.contexts import verification_context
from dicom_node.dimse.query_models import MODELS, SUPPORTED, TRANSFER_SYNTAXES, Operation
from dicom_node.domain.commitment import FailureReason
from dicom_node.pipeline.accepted import storage_sop_classes, transfer_syntaxes
from dicom_node.settings_query import CommitmentSettings, QuerySettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_OPTIONS = (
    "relational queries",
    "combined date and time",
    "fuzzy matching of names",
    "time zone query adjustment",
    "enhanced multi-frame conversion",
    "empty value matching",
    "multiple value matching",
)


def _names(uids: Iterable[str]) -> str:
    return ", ".join(UID(uid).name for uid in uids)


def _numbers(uid: str) -> list[int]:
    return [int(piece) for piece in uid.split(".")]


def services() -> str:
    verification = [str(uid) for uid in verification_context().transfer_syntax]
    rows = [("Verification", "1.2.840.10008.1.1", "SCP, SCU", "", _names(verification))]
    for uid, model in MODELS.items():
        levels = ", ".join(level.value for level in model.levels)
        rows.append((f"{model.name}, {model.operation}", uid, "SCP", levels, _names(TRANSFER_SYNTAXES)))
    rows.append(("Storage Commitment Push Model", COMMITMENT, "SCP, SCU", "", _names(COMMITMENT_SYNTAXES)))
    return table(("SOP Class", "UID", "Roles", "Levels", "Transfer syntaxes"), rows)


def storage() -> str:
    rows = []
    for uid in sorted(storage_sop_classes(), key=_numbers):
        retired = UID_dictionary.get(uid, ("", "", "", "", ""))[3]
        rows.append((UID(uid).name if uid in UID_dictionary else "", uid, "yes" if retired else ""))
    return table(("SOP Class", "UID", "Retired"), rows)


def syntaxes() -> str:
    return table(
        ("Transfer syntax", "UID"),
        ((UID(uid).name, uid) for uid in sorted(transfer_syntaxes(), key=_numbers)),
    )


def negotiation() -> str:
    rows = []
    for operation, supported in SUPPORTED.items():
        options = ("relational retrieval", _OPTIONS[4]) if operation is not Operation.FIND else _OPTIONS
        rows += [
            (operation.value, byte, option, "yes" if known else "no")
            for byte, (option, known) in enumerate(zip(options, supported, strict=True), start=1)
        ]
    return table(("Operation", "Byte", "Option", "Supported"), rows)


def _documented(module_doc: str | None) -> list[tuple[str, ...]]:
    """The rows of the table in a module's docstring."""
    lines = (module_doc or "").splitlines()
    edges = [number for number, line in enumerate(lines) if line.startswith("====")]
    columns = [len(mark) for mark in lines[edges[0]].split()]
    starts = [sum(columns[:n]) + 2 * n for n in range(len(columns))]
    rows = []
    for line in lines[edges[1] + 1 : edges[2]]:
        cells = [line[start : start + width] for start, width in zip(starts, columns, strict=True)]
        cells[-1] = line[starts[-1] :]
        rows.append(tuple(cell.strip().replace("``", "`") for cell in cells))
    return rows


def query_answers() -> str:
    return table(("Status", "Meaning", "When"), _documented(query_statuses.__doc__))


def store_answers() -> str:
    return table(("Status", "Meaning", "When"), _documented(statuses.__doc__))


def commitment_reasons() -> str:
    rows = [(f"{reason:04X}", reason.name.lower().replace("_", " ")) for reason in FailureReason]
    return table(("Failure Reason", "Meaning"), rows)


def limits() -> str:
    query, commitment = QuerySettings.model_fields, CommitmentSettings.model_fields
    return table(
        ("Setting", "Default", "Meaning"),
        (
            (code(f"dimse.{section}.{name}"), code(str(field.default)), field.description)
            for section, fields in (("query", query), ("commitment", commitment))
            for name, field in fields.items()
        ),
    )


TABLES: dict[str, Callable[[], str]] = {
    "services": services,
    "negotiation": negotiation,
    "query-answers": query_answers,
    "store-answers": store_answers,
    "commitment-reasons": commitment_reasons,
    "limits": limits,
    "storage": storage,
    "syntaxes": syntaxes,
}
