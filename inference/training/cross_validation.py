"""Cross-validates a classifier: how well a recipe does on images that it never saw, and how evenly."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from dicom_node.domain.errors import ConfigurationError
from inference.training.classification import train_folds
from inference.training.plan_file import plan_record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from inference.training.classification import ClassifierPlan
    from inference.training.examples import Examples

FILE_NAME = "cross-validation.json"
#: False negatives first.
_SHOWN = ("false_negative_rate", "false_positive_rate", "auc", "accuracy", "calibration_error")


def cross_validate(
    examples: Examples,
    plan: ClassifierPlan,
    folds: int,
    out: Path,
    checkpoints: Path,
    report: Callable[[str], None],
) -> dict[str, Any]:
    """Train and judge a network for each fold, write `cross-validation.json` into `out`; the networks go.

    Returns
    -------
    dict
        Mean and standard deviation over the folds of each figure.

    Raises
    ------
    ConfigurationError
        If there are fewer than two folds, or too few different images for so many.
    """
    if folds < 2:
        raise ConfigurationError("cross-validation takes at least 2 folds")
    records = []
    for trained in train_folds(examples, plan, folds, checkpoints, report):
        record = {key: value for key, value in trained.record.items() if key != "curves"}
        records.append(record | {"epochs": len(trained.record["curves"])})
        report(f"fold {len(records)} of {folds}: {shown(trained.record['test'])}")
    figures = {name: _spread([record["test"][name] for record in records]) for name in _common(records)}
    content = {**_belongs_to(examples, plan), "folds": folds, "figures": figures, "by_fold": records}
    out.mkdir(parents=True, exist_ok=True)
    (out / FILE_NAME).write_text(json.dumps(content, indent=1, default=str) + "\n", encoding="utf-8")
    return figures


def card_line(examples: Examples, plan: ClassifierPlan, out: Path) -> str | None:
    """What a card says of the cross-validation in `out`; `None` without one of these data and this plan."""
    try:
        content = json.loads((out / FILE_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if any(content.get(key) != value for key, value in _belongs_to(examples, plan).items()):
        return None
    parts = [
        f"{name.replace('_', ' ')} {found['mean']:.3f} (sd {found['sd']:.3f})"
        for name, found in content["figures"].items()
    ]
    return f"In {content['folds']}-fold cross-validation, groups whole: {', '.join(parts)}."


def shown(test: Mapping[str, Any]) -> str:
    """Figures of a test split in words."""
    return ", ".join(f"{name.replace('_', ' ')} {test[name]:.3f}" for name in _SHOWN if name in test)


def _common(records: Sequence[Mapping[str, Any]]) -> list[str]:
    return [name for name in _SHOWN if all(name in record["test"] for record in records)]


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {
        "mean": round(float(np.mean(values)), 4),
        "sd": round(float(np.std(values, ddof=1)), 4),
        "least": round(float(min(values)), 4),
        "most": round(float(max(values)), 4),
    }


def _belongs_to(examples: Examples, plan: ClassifierPlan) -> dict[str, Any]:
    """Data and plan as JSON keeps them."""
    plain: dict[str, Any] = json.loads(json.dumps(plan_record(plan), default=str))
    return {"data_sha256": examples.sha256(), "plan": plain}
