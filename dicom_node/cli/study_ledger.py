"""How `dicom-node studies` writes a study's ledger."""

from __future__ import annotations

import csv
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

_INSTANCE_PARTS = ("deidentified", "quarantined", "waiting", "withdrawn")
_RESULT_PARTS = ("passed", "kept_back", "unchecked")
_DELIVERY_PARTS = ("confirmed", "sent", "waiting", "dead", "discarded")
_INSTANCE_COLUMNS = (
    "sop_instance_uid",
    "series_instance_uid",
    "sop_class_uid",
    "modality",
    "size",
    "source",
    "received_at",
    "version",
    "outcome",
    "rule",
    "outcome_version",
    "outcome_at",
    "purged_at",
)
_RESULT_COLUMNS = (
    "sop_instance_uid",
    "series_instance_uid",
    "sop_class_uid",
    "kind",
    "size",
    "model",
    "model_version",
    "made_at",
    "version",
    "passed",
    "problem",
    "checked_at",
    "expired_at",
)


def print_summary(console: Console, ledger: dict[str, Any]) -> None:
    """Counts that add up, one line a subject, and what does not."""
    instances, results = ledger["instances"], ledger["results"]
    purged = f"; {instances['purged']} purged" if instances["purged"] else ""
    console.print(f"received  {instances['received']} = {_sum(instances, _INSTANCE_PARTS)}{purged}")
    if ledger["duplicates"] or ledger["conflicts"]:
        console.print(f"          again: {ledger['duplicates']}, with other bytes: {ledger['conflicts']}")
    expired = f"; {results['expired']} expired" if results["expired"] else ""
    console.print(f"made      {results['made']} = {_sum(results, _RESULT_PARTS)}{expired}")
    for each in ledger["deliveries"]:
        left_out = f"; {each['left_out']} not asked for" if each["left_out"] else ""
        parts = _sum(each, _DELIVERY_PARTS)
        console.print(f"for {each['destination']}: {each['objects']} = {parts}{left_out}")
    for text in ledger["discrepancies"]:
        console.print(f"[red]does not add up[/red]  {text}")


def print_entries(console: Console, ledger: dict[str, Any]) -> None:
    """One line for each instance and each object."""
    for entry in ledger["instances"]:
        outcome = entry["outcome"] or "waiting"
        rule = f" ({entry['rule']})" if entry["rule"] else ""
        purged = ", purged" if entry["purged_at"] else ""
        console.print(
            f"{entry['received_at']}  {entry['sop_instance_uid']}  {entry['source']}"
            f"  v{entry['version']}  {outcome}{rule}{purged}",
            soft_wrap=True,
        )
    for entry in ledger["results"]:
        said = {True: "passed", False: f"kept back ({entry['problem']})", None: "not checked"}
        stands = ", ".join(f"{d['destination']} {d['status']}" for d in entry["deliveries"])
        expired = ", expired" if entry["expired_at"] else ""
        console.print(
            f"{entry['made_at']}  {entry['sop_instance_uid']}  {entry['kind']} of {entry['model']}"
            f" {entry['model_version']}  {said[entry['passed']]}  {stands}{expired}",
            soft_wrap=True,
        )


def write_csv(ledger: dict[str, Any]) -> None:
    """One row for each instance and each object to standard output, with a header."""
    columns = ("entry", *dict.fromkeys((*_INSTANCE_COLUMNS, *_RESULT_COLUMNS)), "runs", "deliveries")
    writer = csv.DictWriter(sys.stdout, columns)
    writer.writeheader()
    for entry in ledger["instances"]:
        runs = " ".join(f"{run['model']}/{run['version']}:{run['status']}" for run in entry["runs"])
        row = {name: entry[name] for name in _INSTANCE_COLUMNS}
        writer.writerow(row | {"entry": "instance", "runs": runs})
    for entry in ledger["results"]:
        sent = " ".join(f"{d['destination']}:{d['status']}" for d in entry["deliveries"])
        row = {name: entry[name] for name in _RESULT_COLUMNS}
        writer.writerow(row | {"entry": "result", "deliveries": sent})


def _sum(counts: dict[str, int], parts: tuple[str, ...]) -> str:
    return " + ".join(f"{counts[part]} {part.replace('_', ' ')}" for part in parts if counts[part]) or "0"
