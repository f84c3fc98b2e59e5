"""Small packages of every task with an engine that answers as told, to compare with structured reports."""

from dataclasses import replace

import pytest
from reference_reports import code, group, tracked
from toy_package import toy_manifest, write_package

from dicom_node.domain.result import ResultKind
from inference.evaluation.reports import evaluate_reports
from inference.registry import ModelRegistry

GLIOMA, MENINGIOMA, NONE = ("393564001", "SCT"), ("302820008", "SCT"), ("272519000", "SCT")
NODULE = ("27925004", "SCT")
FINDING = ("121071", "DCM", "Finding")
PRESENT, ABSENT = ("52101004", "SCT"), ("272519000", "SCT")
VOLUME, BRAIN = ("118565006", "SCT"), ("12738006", "SCT")


class Engine:
    """Answers with what a test has laid out for it, and remembers what it was asked."""

    def __init__(self, *predictions):
        self._left, self.asked = list(predictions), []

    def run(self, assignment, study, scratch, feeds):
        self.asked.append(assignment.series_instance_uid)
        answer = self._left.pop(0) if len(self._left) > 1 else self._left[0]
        if isinstance(answer, Exception):
            raise answer
        return replace(answer, series_instance_uid=assignment.series_instance_uid)

    def close(self):
        pass


def raw(task, outputs, kind="volume"):
    manifest = toy_manifest() | {"task": task, "outputs": outputs}
    manifest["input"] |= {"kind": kind, "min_slices": 1}
    manifest["input"]["sop_classes"].append("1.2.840.10008.5.1.4.1.1.4.1")
    manifest["gates"] = {"before": [], "after": []}
    return manifest


CLASSES = {
    "label": "{class_label}",
    "classification": {
        "mode": "multi-class",
        "classes": [
            {"name": "glioma", "label": "Glioma", "code": [*GLIOMA, "Glioma"]},
            {"name": "meningioma", "label": "Meningioma", "code": [*MENINGIOMA, "Meningioma"]},
            {"name": "none", "label": "No tumour", "code": [*NONE, "No tumour"], "abnormal": False},
        ],
    },
}
BOXES = {
    "label": "{detections:.0f} boxes",
    "detections": [
        {"name": "nodule", "label": "Nodule", "code": [*NODULE, "Nodule"], "cielab": [60, 40, 30]}
    ],
}
VALUES = {
    "label": "Length",
    "measurements": [
        {"fact": "length", "name": ["410668003", "SCT", "Length"], "unit": ["mm", "UCUM", "mm"], "digits": 1}
    ],
}
LENGTH = ("410668003", "SCT")


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packages")
    labels = raw(
        "classification", {**CLASSES, "classification": {**CLASSES["classification"], "mode": "multi-label"}}
    )
    packages = {
        "classes": raw("classification", CLASSES, "slices"),
        "labels": labels,
        "boxes": raw("detection", BOXES),
        "values": raw("measurement", VALUES),
        "mask": raw("segmentation", toy_manifest()["outputs"]),
    }
    for name, manifest in packages.items():
        write_package(folder / name, manifest | {"name": name})
    loaded = ModelRegistry.load([folder])
    assert not loaded.invalid
    return loaded


def evaluate(registry, package, engine, *studies, **options):
    told = []
    options = {"tell": told.append} | options
    made = evaluate_reports(registry, registry.get(package), studies, engine, **options)
    return made, told


def reports_of(case, **changes):
    return [made for made in case.encode(**changes) if made.kind is ResultKind.SR]


def nodule(*shapes, uid="1.2.3"):
    return group(code(FINDING, NODULE), tracked(uid), *shapes)


def box_at(case, *box):
    one = replace(case.prediction.detections[0], box=tuple(map(float, box)))
    return replace(case.prediction, detections=(one,))
