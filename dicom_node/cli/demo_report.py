"""What the demo prints at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table

if TYPE_CHECKING:
    from rich.console import Console

#: What the built-in model must leave behind for a T1 head.
EXPECTED_KINDS = frozenset({"SR", "SEG", "SC"})


def is_complete(study: dict[str, Any]) -> bool:
    """Whether everything that the demo promises is there."""
    kinds = {result["kind"] for result in study["results"]}
    return (
        study["state"] == "done"
        and kinds >= EXPECTED_KINDS
        and any(run["status"] == "done" and run["label"] for run in study["runs"])
        and study["purged_at"] is not None
    )


def print_report(
    console: Console, study: dict[str, Any], timings: dict[str, float], url: str, *, viewer: bool
) -> None:
    """Print finding, result objects, purge, timings and links."""
    console.rule("DICOM Node demo")
    console.print(f"Study     {study['id']}: [bold]{study['state']}[/bold]", study["reason"] or "")
    for run in study["runs"]:
        confidence = "" if run["confidence"] is None else f", confidence {run['confidence']:.2f}"
        finding = run["label"] or run["reason"] or ""
        console.print(f"Finding   [bold]{finding}[/bold]{confidence}")
        console.print(f"Model     {run['model']} {run['version']}: {run['status']}")
    _print_results(console, study["results"])
    purged = study["purged_at"]
    console.print(
        f"Input     purged at {purged}: files deleted, key destroyed" if purged else "Input     not purged"
    )
    console.print("Timings   " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in timings.items()))
    console.print(f"Dashboard {url}/")
    if viewer:
        link = f"{url}/viewer/viewer?StudyInstanceUIDs={study['study_instance_uid']}"
        # Broken at the terminal's edge, the link would lead nowhere.
        console.print(f"In OHIF   {link}", soft_wrap=True)
    else:
        console.print("In OHIF   the viewer is missing: install npm, then run `make viewer`, and start again")
    console.print("[bold]Research use only. Not for diagnosis.[/bold]")


def _print_results(console: Console, results: list[dict[str, Any]]) -> None:
    table = Table("result", "objects", "first SOP Instance UID")
    kinds: dict[tuple[str, str], list[str]] = {}
    for result in results:
        series = (result["kind"], result["series_instance_uid"])
        kinds.setdefault(series, []).append(result["sop_instance_uid"])
    for (kind, _series), uids in kinds.items():
        table.add_row(kind, str(len(uids)), uids[0])
    console.print(table)
