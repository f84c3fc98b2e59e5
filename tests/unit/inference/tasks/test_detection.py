"""Detection: every layout and box format gives the same boxes, in voxels of the source."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from task_packages import Network, detector_manifest
from toy_package import write_package

from dicom_node.domain.errors import InferenceFailed
from inference.manifest import read_manifest
from inference.runner.adapter import ModelInput
from inference.tasks.boxes import overlap, suppress, to_edges
from inference.tasks.detection import DetectionAdapter

AXIAL = np.eye(4)[:, [2, 1, 0, 3]]
FLAT = {"size": [20, 20], "fit": "stretch", "intensity": {"range": [0, 1]}}
SOLID = {"orientation": "RAS", "size": [16, 16, 16], "intensity": {"range": [0, 1]}}
#: Rows 4 to 8 and columns 10 to 16 of a 20 x 20 input.
BOX = {"xyxy": [10, 4, 16, 8], "xywh": [10, 4, 6, 4], "cxcywh": [13, 6, 6, 4], "axes": [4, 10, 8, 16]}


@pytest.fixture
def adapter(tmp_path):
    def made(outputs, preprocessing=FLAT, names=("nodule", "cyst"), **postprocessing):
        raw = detector_manifest(names, preprocessing=preprocessing, postprocessing=postprocessing)
        folder = tmp_path / f"package-{len(list(tmp_path.iterdir()))}"
        network = Network(outputs if callable(outputs) else lambda batch: outputs)
        return DetectionAdapter(read_manifest(write_package(folder, raw)), network, "cpu")

    return made


def arrays_of(**values):
    return {name: np.array(value, dtype=np.float32) for name, value in values.items()}


@pytest.mark.parametrize("form", list(BOX))
@pytest.mark.parametrize("normalised", [False, True])
def test_every_box_format_means_the_same_place_in_the_source(adapter, form, normalised):
    scale = 20 if normalised else 1
    made = adapter(
        arrays_of(boxes=[np.array(BOX[form]) / scale], scores=[0.9], labels=[2]),
        box_format=form,
        normalised=normalised,
        first_label=1,
    )
    # Twice as many rows, half as many columns as the network's input.
    found = made.predict(ModelInput(np.zeros((2, 40, 10), np.float32), None))
    assert [box.name for box in found.detections] == ["cyst", "cyst"]
    np.testing.assert_allclose(found.detections[0].box, [0, 8, 5, 1, 16, 8], atol=1e-5)
    np.testing.assert_allclose(found.detections[1].box, [1, 8, 5, 2, 16, 8], atol=1e-5)
    assert found.confidence == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("layout", "outputs"),
    [
        ("separate", {"boxes": [[[10, 4, 16, 8]]], "scores": [[0.9]], "labels": [[1]]}),
        ("rows", {"output": [[[10, 4, 16, 8, 0.9, 1], [0, 0, 2, 2, 0.1, 0]]]}),
        ("dense", {"output": [[[10, 0], [4, 0], [16, 2], [8, 2], [0.2, 0.1], [0.9, 0.0]]]}),
        (
            "queries",
            {"boxes": [[[13 / 20, 6 / 20, 6 / 20, 4 / 20]]], "scores": [np.log([[0.05, 0.9, 0.05]])]},
        ),
    ],
)
def test_every_layout_gives_the_same_box(adapter, layout, outputs):
    found = adapter(arrays_of(**outputs), layout=layout).predict(
        ModelInput(np.zeros((1, 20, 20), np.float32), None)
    )
    (box,) = found.detections
    assert box.name == "cyst"
    assert box.score == pytest.approx(0.9, abs=1e-5)
    np.testing.assert_allclose(box.box, [0, 4, 10, 1, 8, 16], atol=1e-4)


@pytest.mark.parametrize("towards", ["RAS", "LPS", "SPL"])
def test_a_box_in_a_volume_surrounds_the_same_voxels_whatever_the_axes(adapter, towards):
    voxels = np.zeros((8, 16, 32), np.float32)
    voxels[1:3, 10:14, 4:20] = 1

    def bright(batch):
        places = np.argwhere(batch[0, 0] > 0.99)
        if not len(places):
            return arrays_of(boxes=np.zeros((0, 6)), scores=[])
        return arrays_of(boxes=[[*places.min(axis=0), *(places.max(axis=0) + 1)]], scores=[0.8])

    made = adapter(bright, {**SOLID, "orientation": towards}, ("nodule",), box_format="axes")
    (box,) = made.predict(ModelInput(voxels, AXIAL)).detections
    np.testing.assert_allclose(box.box, [1, 10, 4, 3, 14, 20], atol=1)
    # x, y, z name the last, the middle and the first axis of the input.
    turned = adapter(
        lambda batch: {**bright(batch), "boxes": bright(batch)["boxes"][:, [2, 1, 0, 5, 4, 3]]},
        {**SOLID, "orientation": towards},
        ("nodule",),
        box_format="xyzxyz",
    )
    assert turned.predict(ModelInput(voxels, AXIAL)).detections[0].box == box.box


def test_of_overlapping_boxes_of_one_kind_the_surest_stays_and_unsure_ones_go(adapter):
    made = adapter(
        arrays_of(
            boxes=[[2, 2, 10, 10], [3, 2, 11, 10], [2, 2, 10, 10], [12, 12, 18, 18], [1, 1, 1, 5]],
            scores=[0.7, 0.9, 0.6, 0.3, 0.95],
            labels=[0, 0, 1, 0, 0],
        )
    )
    found = made.predict(ModelInput(np.zeros((1, 20, 20), np.float32), None))
    assert [(box.name, round(box.score, 2)) for box in found.detections] == [("nodule", 0.9), ("cyst", 0.6)]


def test_nothing_found_is_as_sure_as_the_best_that_was_left_out(adapter):
    made = adapter(arrays_of(boxes=[[2, 2, 10, 10]], scores=[0.2], labels=[0]))
    found = made.predict(ModelInput(np.zeros((1, 20, 20), np.float32), None))
    assert found.detections == ()
    assert found.confidence == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("outputs", "text"),
    [
        (arrays_of(boxes=[[1, 2, 3]], scores=[0.9], labels=[0]), "layout"),
        (arrays_of(boxes=[[1, 2, 3, 4]], scores=[0.9, 0.8], labels=[0]), "other numbers"),
        (arrays_of(boxes=[[1, 2, 3, 4]], scores=[0.9], labels=[7]), "categories"),
        (arrays_of(scores=[0.9], labels=[0]), "no output 'boxes'"),
    ],
)
def test_output_of_another_layout_fails_with_its_reason(adapter, outputs, text):
    with pytest.raises(InferenceFailed, match=text):
        adapter(outputs).predict(ModelInput(np.zeros((1, 20, 20), np.float32), None))


EDGES = arrays.arrays(np.float64, st.tuples(st.integers(1, 8), st.just(6)), elements=st.floats(0, 50))


@given(EDGES, st.sampled_from([0.0, 0.3, 1.0]))
def test_boxes_that_stay_overlap_no_more_than_they_may(raw, most):
    boxes = np.concatenate([np.minimum(raw[:, :3], raw[:, 3:]), np.maximum(raw[:, :3], raw[:, 3:])], axis=1)
    scores = np.linspace(1, 0.1, len(boxes))
    left = suppress(boxes, scores, np.zeros(len(boxes), dtype=int), most)
    assert left[0] == 0
    for place, index in enumerate(left):
        others = np.delete(boxes[left], place, axis=0)
        assert (overlap(boxes[index], others) <= most).all()


@given(EDGES)
def test_sizes_and_centres_say_the_same_as_edges(raw):
    first, size = raw[:, :3], raw[:, 3:]
    edges = to_edges(np.concatenate([first, first + size], axis=1), "xyzxyz", 3)
    np.testing.assert_allclose(to_edges(raw, "xyzwhd", 3), edges)
    centred = to_edges(np.concatenate([first + size / 2, size], axis=1), "cxcyczwhd", 3)
    np.testing.assert_allclose(centred, edges, atol=1e-9)
