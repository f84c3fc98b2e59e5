"""An evaluation as JSON, HTML and PDF. It holds figures and counts; of the data only their hash."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, select_autoescape
from markupsafe import Markup
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure

from inference.evaluation.plots import as_svg, plots

if TYPE_CHECKING:
    from pathlib import Path

    from inference.contract.package import ModelManifest

#: Of the layout of `evaluation.json`.
SCHEMA = 1
NOTICE = "Research use only. Not for diagnosis."
_LINES_PER_PAGE = 62


def complete(report: dict[str, Any], manifest: ModelManifest, seed: int) -> dict[str, Any]:
    """The figures with what they are of, the false negative rate still first among them."""
    try:
        node = version("dicom-ai-node")
    except PackageNotFoundError:
        node = "unknown"
    return {
        "schema": SCHEMA,
        "model": manifest.name,
        "version": manifest.version,
        "weights_sha256": [weight.sha256 for weight in manifest.weights],
        "node_version": node,
        "seed": seed,
        "notice": NOTICE,
        **report,
    }


def write_report(report: dict[str, Any], out: Path) -> tuple[Path, ...]:
    """Write `evaluation.json`, `evaluation.html` and `evaluation.pdf` into a folder; return them."""
    out.mkdir(parents=True, exist_ok=True)
    paths = tuple(out / f"evaluation.{ending}" for ending in ("json", "html", "pdf"))
    paths[0].write_text(json.dumps(report, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    drawn = list(plots(report))
    environment = Environment(
        loader=PackageLoader("inference.evaluation", "templates"), autoescape=select_autoescape()
    )
    # The plots are ours; every name in them has been escaped by matplotlib.
    pictures = [(caption, Markup(as_svg(figure))) for caption, figure in drawn]  # noqa: S704
    page = environment.get_template("evaluation.html").render(
        report=report, rows=rows_of(report["figures"]), pictures=pictures
    )
    paths[1].write_text(page, encoding="utf-8")
    with PdfPages(
        paths[2], metadata={"CreationDate": None, "Title": f"Evaluation of {report['model']}"}
    ) as pdf:
        for page_of_text in _text_pages(report):
            pdf.savefig(page_of_text)
        for caption, figure in drawn:
            figure.suptitle(caption, fontsize=9)
            pdf.savefig(figure, bbox_inches="tight")
    return paths


def rows_of(figures: dict[str, Any], before: str = "") -> list[tuple[str, str]]:
    """Figures as lines of a name and a value, in their order."""
    rows: list[tuple[str, str]] = []
    for name, value in figures.items():
        shown = f"{before}{name}".replace("_", " ")
        if isinstance(value, dict):
            rows += rows_of(value, f"{before}{name}: ")
        elif name == "classes" and isinstance(value, list):
            for one in value:
                rest = {key: inner for key, inner in one.items() if key != "class"}
                rows += rows_of(rest, f"{before}{one['class']}: ")
        elif name not in {"confusion", "bins", "each", "counts", "curve"}:
            rows.append((shown, _shown(value)))
    return rows


def _shown(value: Any) -> str:
    if value is None:
        return "not known"
    if isinstance(value, list):
        return " to ".join(str(one) for one in value)
    return str(value)


def _text_pages(report: dict[str, Any]) -> list[Figure]:
    lines = [
        f"Evaluation of {report['model']} {report['version']}",
        NOTICE,
        f"Data (SHA-256): {report['data_sha256']}",
        "",
        *(f"{name}: {value}" for name, value in rows_of(report["figures"])),
    ]
    for place in ("references", "behind_gates", "subgroups"):
        if report.get(place):
            lines += ["", place.replace("_", " "), *(f"{n}: {v}" for n, v in rows_of(report[place]))]
    pages = []
    for start in range(0, len(lines), _LINES_PER_PAGE):
        page = Figure(figsize=(8.27, 11.69))
        # No mathematics in names: a dollar sign is one.
        text = "\n".join(lines[start : start + _LINES_PER_PAGE]).replace("$", r"\$")
        page.text(0.08, 0.95, text, va="top", fontsize=8, family="monospace")
        pages.append(page)
    return pages
