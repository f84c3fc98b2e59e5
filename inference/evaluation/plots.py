"""Plots of an evaluation, by matplotlib; imported where a report is written only."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Iterator

_SIDE = 4.2


def plots(report: dict[str, Any]) -> Iterator[tuple[str, Figure]]:
    """Each plot of a report with its caption; none of what has no cases."""
    figures = report["figures"]
    if report["task"] == "classification":
        if figures["cases"]:
            yield from _of_classes(report)
        return
    draw = {
        "labels": _of_label,
        "segmentation": _of_segment,
        "measurement": _of_value,
        "detection": _of_boxes,
    }
    for label, one in figures.items():
        if one["cases"]:
            curve = report.get("curves", {}).get(label, [])
            yield from draw[report["task"]](label, one, curve)


def as_svg(figure: Figure) -> str:
    """A figure as an SVG element, the same bytes for the same figure."""
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "evaluation", "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def _empty(xlabel: str, ylabel: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=(_SIDE, _SIDE))
    axes = figure.add_subplot()
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    return figure, axes


def _of_classes(report: dict[str, Any]) -> Iterator[tuple[str, Figure]]:
    figures = report["figures"]
    if report.get("curve"):
        yield "ROC curve of abnormal against normal", _roc(report["curve"], figures["binary"])
    yield "Confusion matrix: rows are the truth", _confusion(report["classes"], figures["confusion"])
    yield "Reliability: confidence against accuracy", _reliability(figures["calibration"]["bins"])


def _of_label(label: str, one: dict[str, Any], curve: list[list[float]]) -> Iterator[tuple[str, Figure]]:
    if curve:
        yield f"{label}: ROC curve", _roc(curve, one["binary"])
    yield f"{label}: confidence against accuracy", _reliability(one["calibration"]["bins"])


def _of_segment(label: str, one: dict[str, Any], curve: list[list[float]]) -> Iterator[tuple[str, Figure]]:
    del curve
    yield f"{label}: Dice of each case", _histogram([row["dice"] for row in one["each"]])
    volumes = [(row["volume_ml"], row["reference_volume_ml"]) for row in one["each"]]
    yield (
        f"{label}: agreement of volumes (Bland-Altman)",
        _bland_altman(volumes, one["volume_ml"], "mL"),
    )


def _of_value(label: str, one: dict[str, Any], curve: list[list[float]]) -> Iterator[tuple[str, Figure]]:
    del curve
    pairs = [(row["found"], row["reference"]) for row in one["each"]]
    yield f"{label}: agreement (Bland-Altman)", _bland_altman(pairs, one, one["unit"])


def _of_boxes(label: str, one: dict[str, Any], curve: list[list[float]]) -> Iterator[tuple[str, Figure]]:
    del curve
    yield f"{label}: FROC curve at an overlap of {one['overlap']}", _froc(one)


def _froc(one: dict[str, Any]) -> Figure:
    figure, axes = _empty("false positives a study", "sensitivity")
    x, y = zip(*one["curve"], strict=True)
    axes.plot(x, y, "o-", color="#1f5f8b", drawstyle="steps-post", markersize=3)
    axes.set_ylim(0, 1.02)
    axes.set_title(f"mean sensitivity {one['mean_sensitivity']}")
    return figure


def _roc(curve: list[list[float]], binary: dict[str, Any]) -> Figure:
    figure, axes = _empty("false positive rate", "sensitivity")
    x, y = zip(*curve, strict=True)
    axes.plot([0, 1], [0, 1], linestyle=":", color="grey")
    axes.plot(x, y, color="#1f5f8b", drawstyle="steps-post")
    axes.plot(
        [1 - (binary["specificity"] or 0)], [binary["sensitivity"] or 0], "o", color="#a33a00",
        label=f"threshold {binary['threshold']}",
    )  # fmt: skip
    axes.set_title(f"AUC {binary['auc']}")
    axes.legend(loc="lower right")
    return figure


def _confusion(classes: list[str], counts: list[list[int]]) -> Figure:
    figure, axes = _empty("said", "truth")
    axes.imshow(counts, cmap="Blues")
    largest = max(max(row) for row in counts) or 1
    for row, values in enumerate(counts):
        for column, value in enumerate(values):
            colour = "white" if value > largest / 2 else "black"
            axes.text(column, row, str(value), ha="center", va="center", color=colour)
    axes.set_xticks(range(len(classes)), classes, rotation=30, ha="right")
    axes.set_yticks(range(len(classes)), classes)
    return figure


def _reliability(bins: list[dict[str, float]]) -> Figure:
    figure, axes = _empty("confidence", "accuracy")
    axes.plot([0, 1], [0, 1], linestyle=":", color="grey")
    axes.plot([one["confidence"] for one in bins], [one["accuracy"] for one in bins], "o-", color="#1f5f8b")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    return figure


def _histogram(values: list[float]) -> Figure:
    figure, axes = _empty("Dice", "cases")
    axes.hist(values, bins=20, range=(0, 1), color="#1f5f8b")
    return figure


def _bland_altman(pairs: list[tuple[float, float]], told: dict[str, Any], unit: str) -> Figure:
    figure, axes = _empty(f"mean of both, {unit}", f"found less reference, {unit}")
    axes.plot([(a + b) / 2 for a, b in pairs], [a - b for a, b in pairs], "o", color="#1f5f8b")
    for name in ("bias", "lower", "upper"):
        if told.get(name) is not None:
            axes.axhline(told[name], linestyle="-" if name == "bias" else "--", color="grey")
    return figure
