"""Evaluates a classifier on pictures of known classes: folders by class, or a table."""

from __future__ import annotations

import csv
import tempfile
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dicom_node.domain.errors import ConfigurationError
from dicom_node.domain.run import RunStatus
from inference.evaluation.classification import ClassifiedCases, curve_of, judge, subgroups_of, threshold_of
from inference.evaluation.loaded import LoadedModel
from inference.training.examples import SUFFIXES, Example, Examples, read_examples, read_grey

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from numpy.typing import NDArray

    from inference.contract.package import ModelManifest
    from inference.runner.engine import ProcessEngine

#: Columns of a table that are no attribute to make subgroups of.
_NO_ATTRIBUTES = frozenset({"path", "label", "patient", "split"})


def evaluate_pictures(
    manifest: ModelManifest,
    data: Path,
    *,
    device: str = "cpu",
    trusted: Collection[str] = (),
    seed: int = 0,
    split: str | None = None,
    engine: ProcessEngine | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """All figures of a classifier on pictures, without gates and, with an engine, behind them.

    Parameters
    ----------
    data
        A folder with a folder for each class, or a CSV with `path`, `label`, and if wanted `patient`, `split`
        and attributes, of whose values subgroups are made.
    split
        Only rows of this split.
    engine
        Serves the package as the node does; the gates then decide what is left.

    Raises
    ------
    ConfigurationError
        If the package is no classifier, or the data name other classes than it has.
    """
    output = manifest.classification
    if output is None:
        raise ConfigurationError(f"{manifest.name} is no classifier: give images and masks, or studies")
    names = tuple(one.name for one in output.classes)
    examples = _chosen(_examples(data, names), split)
    model = LoadedModel(manifest, device, trusted)
    said = []
    for number, item in enumerate(examples.items, 1):
        answer = model.see_picture(read_grey(item.path) * np.float32(255))
        said.append([answer.classes[name] for name in names])
        if progress is not None:
            progress(number, len(examples.items))
    cases = ClassifiedCases(
        classes=tuple(one.label for one in output.classes),
        probability=np.array(said, dtype=np.float64),
        labels=np.array([item.label for item in examples.items]),
        groups=_groups(examples.items),
        abnormal=tuple(index for index, one in enumerate(output.classes) if one.abnormal),
        threshold=threshold_of(output),
    )
    report: dict[str, Any] = {
        "task": "classification",
        "data_sha256": examples.sha256(),
        "classes": list(cases.classes),
        "figures": judge(cases, seed=seed),
        "subgroups": subgroups_of(cases, _attributes(data, examples), seed=seed),
        "curve": curve_of(cases),
    }
    if engine is not None:
        report["behind_gates"] = _behind_gates(engine, manifest.name, examples.items, cases, seed)
    return report


def is_pictures(manifest: ModelManifest, data: Path) -> bool:
    """Whether data are a table, or a folder of pictures for a classifier, and not DICOM studies."""
    if data.is_file():
        return True
    output = manifest.classification
    if output is None:
        return False
    if any((data / one.name).is_dir() for one in output.classes):
        return True
    return any(path.suffix.lower() in SUFFIXES for path in data.glob("*/*"))


def _examples(data: Path, names: tuple[str, ...]) -> Examples:
    try:
        return read_examples(data, names)
    except ConfigurationError as exc:
        raise ConfigurationError(f"{exc}; the package's classes are {', '.join(names)}") from exc


def _chosen(examples: Examples, split: str | None) -> Examples:
    if split is None:
        return examples
    items = tuple(item for item in examples.items if item.split == split)
    if not items:
        raise ConfigurationError(f"the table has no row of the split {split}")
    return Examples(examples.classes, items)


def _groups(items: tuple[Example, ...]) -> NDArray[np.int64]:
    numbers: dict[str, int] = {}
    # Where the patient is not known, each picture stands alone.
    names = [item.patient or f"\0{place}" for place, item in enumerate(items)]
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.int64)


def _attributes(data: Path, examples: Examples) -> Mapping[str, list[str]]:
    """Values of each further column of a table, in the order of the examples."""
    if not data.is_file():
        return {}
    with data.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    by_path = {(data.parent / row["path"]): row for row in rows}
    columns = [name for name in rows[0] if name and name not in _NO_ATTRIBUTES]
    return {
        column: [(by_path[item.path].get(column) or "").strip() for item in examples.items]
        for column in columns
    }


def _behind_gates(
    engine: ProcessEngine, model: str, items: tuple[Example, ...], cases: ClassifiedCases, seed: int
) -> dict[str, Any]:
    """How many pictures the gates let through, why not the others, and how good the model is on the rest."""
    passed = np.zeros(len(items), dtype=bool)
    kinds: Counter[str] = Counter()
    with closing(engine), tempfile.TemporaryDirectory() as scratch:
        for place, item in enumerate(items):
            picture = read_grey(item.path) * np.float32(255)
            prediction = engine.predict_image(model, picture, Path(scratch))
            passed[place] = prediction.status is RunStatus.DONE
            kinds.update(
                {str(reason.kind) for reason in prediction.reasons if not reason.passed and reason.kind}
            )
    return {
        "answered": int(passed.sum()),
        "of": len(items),
        "coverage": round(float(passed.mean()), 4),
        "refused_for": dict(kinds.most_common()),
        "figures": judge(cases.of(passed), seed=seed),
    }
