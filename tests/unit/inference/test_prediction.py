"""What becomes of a model's answer: every part of a prediction, and what is missing named."""

import dataclasses

import numpy as np
import pytest
from task_packages import classifier_manifest, detector_manifest, segmenter_manifest
from toy_package import write_package

from dicom_node.domain.errors import InferenceFailed
from dicom_node.domain.finding import ParametricMap, Task
from dicom_node.domain.run import Assignment, Reason, RejectionKind, RunStatus
from inference.contract.outputs import OutputMeasurement
from inference.manifest import read_manifest
from inference.runner.adapter import DetectedBox, Heat, ModelInput, ModelOutput
from inference.runner.answer import FoundBox, ModelAnswer
from inference.runner.arrays import arrays_of, pack_arrays, unpack_arrays
from inference.runner.contract_check import check_output
from inference.runner.facts import output_facts
from inference.runner.prediction import RunSource, done, rejected

ASSIGNMENT = Assignment("toy", "1.0", "1.2.3", "test")
SOURCE = RunSource(("1.2.3.1", "1.2.3.2"), (), (2.0, 0.5, 0.25))


@pytest.fixture
def manifest(tmp_path):
    def made(raw):
        return read_manifest(write_package(tmp_path / f"p{len(list(tmp_path.iterdir()))}", raw))

    return made


def answer(**changes):
    made = ModelAnswer(
        confidence=0.9,
        facts={},
        classes={},
        boxes=(),
        heat=None,
        arrays=b"",
        elapsed_s=1.5,
    )
    return dataclasses.replace(made, **changes)


def classified(manifest, p=(0.2, 0.7, 0.1), heat=None, **settings):
    raw = classifier_manifest(**settings)
    raw["outputs"]["explanation"] = {"method": "grad-cam"}
    classes = dict(zip(("none", "glioma", "meningioma"), p, strict=True))
    return manifest(raw), answer(classes=classes, confidence=max(p), heat=heat)


def test_a_classifier_names_what_is_there_with_its_probability(manifest):
    model, given = classified(manifest, heat=("Grad-CAM", "glioma"))
    made = done(model, ASSIGNMENT, (), SOURCE, given)
    assert made.task is Task.CLASSIFICATION
    assert made.label == "Glioma (70 %)"
    assert [(c.name, c.probability, c.abnormal, c.present) for c in made.classes] == [
        ("none", 0.2, False, False),
        ("glioma", 0.7, True, True),
        ("meningioma", 0.1, True, False),
    ]
    assert made.explanation.target == "Glioma"
    assert made.region.meaning == "Brain"
    assert made.source_sop_instance_uids == SOURCE.sop_instance_uids
    assert made.elapsed_s == 1.5


def test_several_labels_are_all_named_and_none_is_said_so(manifest):
    model, given = classified(manifest, (0.1, 0.8, 0.6), mode="multi-label")
    assert done(model, ASSIGNMENT, (), SOURCE, given).label == "Glioma, Meningioma (80 %)"
    model, given = classified(manifest, (0.1, 0.2, 0.3), mode="multi-label")
    assert done(model, ASSIGNMENT, (), SOURCE, given).label == "None of the findings looked for (70 %)"


def test_a_rejection_after_the_model_tells_probabilities_and_forces_no_label(manifest):
    model, given = classified(manifest)
    doubt = Reason("toy", "gate.confidence", False, "confidence is low", RejectionKind.CONFIDENCE)
    made = rejected(model, ASSIGNMENT, [doubt], SOURCE, given)
    assert made.status is RunStatus.REJECTED
    assert made.reason == "Unable to determine: confidence is low"
    assert made.label is None
    assert made.reasons[0].kind is RejectionKind.CONFIDENCE
    assert [c.probability for c in made.classes] == [0.2, 0.7, 0.1]
    assert not any(c.present for c in made.classes)
    assert made.source_sop_instance_uids == SOURCE.sop_instance_uids


def test_boxes_get_codes_numbers_and_a_diameter_and_unsure_ones_are_left_out(manifest):
    raw = detector_manifest(("nodule", "cyst"), preprocessing={"size": [8, 8]})
    raw["outputs"]["detections"][1]["min_score"] = 0.8
    boxes = (
        FoundBox("nodule", 0.9, (0, 2, 2, 1, 6, 12)),
        FoundBox("cyst", 0.7, (0, 0, 0, 1, 1, 1)),
        FoundBox("nodule", 0.6, (0, 0, 0, 2, 4, 4)),
    )
    made = done(manifest(raw), ASSIGNMENT, (), SOURCE, answer(boxes=boxes, facts={"detections": 2.0}))
    assert made.label == "2 boxes"
    assert [(d.number, d.label, d.score) for d in made.detections] == [(1, "Nodule", 0.9), (2, "Nodule", 0.6)]
    # 4 rows of 0.5 mm, 10 columns of 0.25 mm.
    (diameter,) = made.detections[0].measurements
    assert (diameter.value, diameter.unit.value) == (2.5, "mm")
    unknown = dataclasses.replace(SOURCE, spacing_mm=None)
    made = done(manifest(raw), ASSIGNMENT, (), unknown, answer(boxes=boxes, facts={"detections": 2.0}))
    assert made.detections[0].measurements == ()


def test_each_segment_gets_its_own_measurements_and_empty_ones_stay(manifest):
    model = manifest(segmenter_manifest(2, preprocessing={}))
    voxels = np.ones((2, 3, 4), np.float32)
    mask = np.zeros((2, 3, 4), np.uint8)
    mask[0, 0, :3] = 1
    given = ModelInput(voxels, np.diag([10.0, 10.0, 10.0, 1.0]))
    facts = output_facts(model, given, ModelOutput(0.9, mask=mask))
    assert facts["volume_ml"] == pytest.approx(3)
    placeless = output_facts(model, dataclasses.replace(given, affine=None), ModelOutput(0.9, mask=mask))
    assert placeless == {"mask_fraction": pytest.approx(3 / 24), "confidence": 0.9}
    made = done(model, ASSIGNMENT, (), SOURCE, answer(facts=facts))
    assert [s.measurements[0].value for s in made.segments] == [3.0, 0.0]
    assert [s.number for s in made.segments] == [1, 2]
    assert made.label == "Bright volume 3.00 mL"


def test_maps_and_measurements_of_the_whole_are_reported(manifest):
    model = manifest(segmenter_manifest(preprocessing={}))
    segment = model.segments[0]
    whole = OutputMeasurement("density", segment.measurements[0].name, segment.measurements[0].unit, 2)
    drawn = ParametricMap("t1", "T1", segment.type, segment.measurements[0].unit)
    model = dataclasses.replace(model, measurements=(whole,), maps=(drawn,))
    made = done(model, ASSIGNMENT, (), SOURCE, answer(facts={"density": 1.239, "volume_ml": 1.0}))
    assert made.measurements[0].value == 1.24
    assert made.maps == (drawn,)


def test_a_fact_that_is_reported_but_was_not_measured_is_named(manifest):
    model = manifest(segmenter_manifest(preprocessing={}))
    with pytest.raises(InferenceFailed, match="toy: the manifest reports volume_ml, but it was not measured"):
        done(model, ASSIGNMENT, (), SOURCE, answer())


SHAPE = (3, 4, 5)
GIVEN = ModelInput(np.zeros(SHAPE, np.float32), np.eye(4))
MASK = np.zeros(SHAPE, np.uint8)
CLASSES = {"none": 0.2, "glioma": 0.7, "meningioma": 0.1}


@pytest.mark.parametrize(
    ("output", "text"),
    [
        (ModelOutput(1.0), "no mask"),
        (ModelOutput(1.0, mask=MASK[:1]), "must be uint8"),
        (ModelOutput(1.0, mask=MASK.astype(np.int32)), "must be uint8"),
        (ModelOutput(1.0, mask=MASK + 2), "value 2"),
        (ModelOutput(1.0, mask=MASK, probability=np.full(SHAPE, 1.5, np.float32)), "from 0 to 1"),
        (ModelOutput(1.0, mask=MASK, probability=np.full(SHAPE, np.nan, np.float32)), "number for each"),
        (ModelOutput(1.0, mask=MASK, classes=CLASSES), "classes"),
        (ModelOutput(1.0, mask=MASK, maps={"t1": np.zeros(SHAPE, np.float32)}), "maps"),
        (ModelOutput(1.0, mask=MASK, detections=(DetectedBox("x", 0.5, (0, 0, 0, 1, 1, 1)),)), "box"),
    ],
)
def test_output_that_breaks_the_manifest_of_a_segmenter_is_refused(manifest, output, text):
    with pytest.raises(InferenceFailed, match=text):
        check_output(manifest(segmenter_manifest(preprocessing={})), GIVEN, output)


def heat(shape=(1, 4, 5), slices=(0,), target="glioma"):
    return Heat(np.zeros(shape, np.float32), slices, "Grad-CAM", target)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"classes": {"none": 1.0}}, "classes"),
        ({"classes": {**CLASSES, "glioma": 1.2}}, "from 0 to 1"),
        ({"slice_probability": np.zeros((2, 3), np.float32), "slice_index": (0,)}, "single slices"),
        ({"slice_probability": np.zeros((1, 3), np.float32), "slice_index": (3,)}, "does not have"),
        ({"slice_probability": np.zeros((2, 3), np.float32), "slice_index": (1, 1)}, "twice"),
        ({"heat": heat(shape=(1, 4, 4))}, "heat"),
        ({"heat": heat(target="cyst")}, "cyst"),
    ],
)
def test_output_that_breaks_the_manifest_of_a_classifier_is_refused(manifest, changes, text):
    model = manifest(classifier_manifest())
    check_output(model, GIVEN, ModelOutput(1.0, classes=CLASSES, heat=heat()))
    with pytest.raises(InferenceFailed, match=text):
        check_output(model, GIVEN, ModelOutput(**{"confidence": 1.0, "classes": CLASSES, **changes}))


@pytest.mark.parametrize("box", [(0, 0, 0, 1, 1, 6), (0, 0, 2, 1, 1, 2), (-1, 0, 0, 1, 1, 1)])
def test_boxes_beyond_the_image_or_without_a_size_are_refused(manifest, box):
    model = manifest(detector_manifest(preprocessing={"size": [8, 8]}))
    with pytest.raises(InferenceFailed, match="box"):
        check_output(model, GIVEN, ModelOutput(1.0, detections=(DetectedBox("nodule", 0.5, box),)))


def test_slices_that_were_filled_in_are_left_out_of_all_arrays():
    mask = np.arange(5, dtype=np.uint8).reshape(5, 1, 1)
    output = ModelOutput(
        1.0,
        mask=mask,
        maps={"t1": mask.astype(np.float32)},
        heat=Heat(np.array([[[1.0]], [[3.0]]], np.float32), (1, 3), "Grad-CAM", "x"),
        slice_probability=np.array([[0.1], [0.2], [0.3]], np.float32),
        slice_index=(0, 2, 4),
    )
    found = unpack_arrays(pack_arrays(arrays_of(output, kept=(0, 2, 3, 4))))
    assert found["mask"].ravel().tolist() == [0, 2, 3, 4]
    assert found["map_t1"].ravel().tolist() == [0, 2, 3, 4]
    assert found["heat_index"].tolist() == [2]
    assert found["heat"].ravel().tolist() == [3]
    assert found["slice_index"].tolist() == [0, 1, 3]
    assert found["probability"].dtype == np.float16
