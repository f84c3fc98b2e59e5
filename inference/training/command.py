"""What `dicom-node models train` does: data and plan in, a package out."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import torch

from dicom_node.domain.errors import ConfigurationError
from inference.networks.build import SEGMENTERS
from inference.training.classification import ClassifierPlan, train_classifier
from inference.training.cross_validation import card_line, cross_validate, shown
from inference.training.examples import read_examples
from inference.training.package import (
    classification_outputs,
    segment_outputs,
    write_manifest,
    write_record,
    write_weights,
)
from inference.training.plan_file import make_plan, plan_record
from inference.training.segmentation import SegmenterPlan, train_segmenter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from inference.training.examples import Examples
    from inference.training.package import PackageText

CHECKPOINTS = "checkpoints"
FOLDS = "folds"
#: A value of each pixel or voxel is a probability, but no measure of how sure the whole is.
_SEGMENT_CONFIDENCE = "Mean probability of the voxels that are said to belong to a segment."
_CLASS_CONFIDENCE = (
    "Probability after temperature scaling on the validation split; where a threshold decides between normal"
    " and abnormal, that of all classes on the side that is said."
)


def train_package(
    data: Path,
    out: Path,
    text: PackageText,
    raw_plan: Mapping[str, Any],
    *,
    classes: Sequence[str] = (),
    folds: int = 0,
    threads: int = 0,
    report: Callable[[str], None],
) -> dict[str, Any]:
    """Train a network and write its package, or cross-validate; what was broken off goes on.

    Parameters
    ----------
    raw_plan
        Fields of `ClassifierPlan` or, with `segments`, of `SegmenterPlan`.
    classes
        Order of the classes; as sorted where it is empty.
    folds
        Cross-validate with so many of them instead: figures only. The card of a later training of the same
        data and plan takes them up.
    threads
        Of the processor; 0 leaves it to torch.

    Returns
    -------
    dict
        Figures of the test split; of a cross-validation, mean and spread of each.

    Raises
    ------
    ConfigurationError
        If data, plan or device do not fit.
    InvalidModelPackage
        If the network is not known or does not take its parameters, or preprocessing makes no sense.
    """
    device = dict(raw_plan.get("loop", {})).get("device", "cpu")
    if device not in ("cpu", "cuda") or (device == "cuda" and not torch.cuda.is_available()):
        raise ConfigurationError(f"device {device!s:.16} is not there; use cpu")
    if threads:
        torch.set_num_threads(threads)
    out.mkdir(parents=True, exist_ok=True)
    if folds:
        if raw_plan.get("segments"):
            raise ConfigurationError("segmenters are not cross-validated here; leave --folds out")
        plan = make_plan(ClassifierPlan, raw_plan)
        examples = _examples(data, plan, classes)
        figures = cross_validate(examples, plan, folds, out, out / FOLDS, report)
        shutil.rmtree(out / FOLDS)
        return figures
    if raw_plan.get("segments"):
        record = _segmenter(data, out, text, make_plan(SegmenterPlan, raw_plan), report)
    else:
        record = _classifier(data, out, text, make_plan(ClassifierPlan, raw_plan), classes, report)
    shutil.rmtree(out / CHECKPOINTS)
    test: dict[str, Any] = record["test"]
    return test


def _classifier(
    data: Path,
    out: Path,
    text: PackageText,
    plan: ClassifierPlan,
    classes: Sequence[str],
    report: Callable[[str], None],
) -> dict[str, Any]:
    examples = _examples(data, plan, classes)
    trained = train_classifier(examples, plan, out / CHECKPOINTS, report)
    test = trained.record["test"]
    parameters = {"classes": len(examples.classes), **plan.parameters}
    write_record(out, trained.record | {"predictions": trained.predictions}, plan_record(plan))
    write_manifest(
        out,
        text,
        {
            "task": "classification",
            "sha256": write_weights(trained.network, out),
            "card": {
                "training": f"{plan.network}, {_sizes(trained.record['splits'])}; see training.json.",
                "confidence": _CLASS_CONFIDENCE,
                "limits": [
                    f"On {test['images']} held-back images: {shown(test)}.",
                    *([crossed] if (crossed := card_line(examples, plan, out)) else []),
                    "Not tried on images from elsewhere.",
                ],
            },
            "input": {"kind": "image"},
            "outputs": classification_outputs(
                examples.classes,
                plan.abnormal,
                text,
                temperature=trained.temperature,
                threshold=trained.threshold,
            ),
            "adapter": _adapter(plan.network, parameters, plan.preprocessing),
        },
    )
    return trained.record


def _examples(data: Path, plan: ClassifierPlan, classes: Sequence[str]) -> Examples:
    if plan.network in SEGMENTERS:
        raise ConfigurationError(f"{plan.network} segments; classifiers are all other networks")
    examples = read_examples(data, classes)
    missing = sorted(set(plan.abnormal) - set(examples.classes))
    if missing:
        raise ConfigurationError(f"abnormal class {missing[0]} is not among the data's classes")
    return examples


def _segmenter(
    data: Path, out: Path, text: PackageText, plan: SegmenterPlan, report: Callable[[str], None]
) -> dict[str, Any]:
    if plan.network not in SEGMENTERS:
        raise ConfigurationError(f"{plan.network} does not segment; {', '.join(SEGMENTERS)} do")
    trained = train_segmenter(data, plan, out / CHECKPOINTS, report)
    dice = ", ".join(f"{name} {value:.3f}" for name, value in trained.record["test"]["dice"].items())
    write_record(out, trained.record, plan_record(plan))
    flat = "size" in plan.preprocessing and len(plan.preprocessing["size"]) == 2
    write_manifest(
        out,
        text,
        {
            "task": "segmentation",
            "sha256": write_weights(trained.network, out),
            "card": {
                "training": f"{plan.network}, {trained.record['splits']}; see training.json.",
                "confidence": _SEGMENT_CONFIDENCE,
                "limits": [f"Dice on the held-back images: {dice}.", "Not tried on images from elsewhere."],
            },
            "input": {"kind": "slices" if flat else "volume"},
            "outputs": segment_outputs(plan.segments, text),
            "adapter": _adapter(
                plan.network, {"classes": len(plan.segments) + 1, **plan.parameters}, plan.preprocessing
            ),
        },
    )
    return trained.record


def _adapter(network: str, parameters: Mapping[str, Any], preprocessing: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "kind": "network",
        "target": network,
        "parameters": dict(parameters),
        "preprocessing": dict(preprocessing),
        "postprocessing": {"activation": "softmax"},
    }


def _sizes(splits: Mapping[str, Sequence[int]]) -> str:
    return ", ".join(f"{sum(counts)} images for {name}" for name, counts in splits.items())
