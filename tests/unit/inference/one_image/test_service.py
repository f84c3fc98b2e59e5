"""Questions about one image: the answer, the picture, and that nothing is left behind."""

import io

import numpy as np
import pytest
from PIL import Image
from task_packages import classifier_manifest
from toy_package import write_package

from dicom_node.domain.errors import InferenceFailed, InvalidInstance, NotFound
from dicom_node.domain.finding import ClassFinding, Code, Explanation, Prediction
from dicom_node.domain.run import Reason, RejectionKind, RunStatus
from inference.manifest import read_manifest
from inference.one_image.service import OneImageService

HEAT = np.zeros((100, 120), np.float16)
HEAT[20:50, 60:100] = 1


def png(pixels=None):
    buffer = io.BytesIO()
    pixels = np.full((100, 120), 90, np.uint8) if pixels is None else pixels
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


class Engine:
    """Answers what a test wants, and remembers what it was asked."""

    def __init__(self, manifest):
        self.manifest = manifest
        self.asked = []
        self.status = RunStatus.DONE
        self.heat = HEAT
        self.error = None

    def predict_image(self, model, image, scratch, *, spacing_mm=None):
        assert scratch.is_dir()
        (scratch / "voxels.npy").write_bytes(b"left over")
        self.asked.append((model, image, spacing_mm))
        if self.error:
            raise self.error
        buffer = io.BytesIO()
        arrays = {} if self.heat is None else {"heat": self.heat[None], "heat_index": np.zeros(1, np.int32)}
        np.savez(buffer, **arrays)
        refused = Reason(
            model, "confidence", False, "confidence 0.40 is below 0.60", RejectionKind.CONFIDENCE
        )
        done = self.status is RunStatus.DONE
        return Prediction(
            model=self.manifest.identity,
            series_instance_uid="",
            status=self.status,
            reason=None if done else f"Unable to determine: {refused.text}",
            label="Glioma (91 %)" if done else None,
            confidence=0.91 if done else 0.4,
            arrays=buffer.getvalue() if done else b"",
            reasons=() if done else (refused,),
            explanation=Explanation("Grad-CAM", "Glioma") if done and self.heat is not None else None,
            classes=(
                ClassFinding("none", "None", Code("1", "99TEST", "none"), 0.09, False, False),
                ClassFinding("glioma", "Glioma", Code("2", "99TEST", "glioma"), 0.91, True, True),
            ),
        )


@pytest.fixture
def world(tmp_path):
    raw = classifier_manifest()
    manifests = {}
    for name, kind in (("brain", "slices"), ("image-gate", "image"), ("whole", "volume")):
        folder = write_package(
            tmp_path / "models" / name, {**raw, "name": name, "input": {**raw["input"], "kind": kind}}
        )
        manifests[name] = read_manifest(folder)
    engine = Engine(manifests["brain"])
    service = OneImageService(
        manifests, engine.predict_image, tmp_path / "scratch", max_pixels=10**6, min_confidence=0.6
    )
    return service, engine, tmp_path / "scratch", manifests


def test_models_that_take_volumes_only_are_not_offered(world):
    service, _engine, _scratch, manifests = world
    assert [model.name for model in service.models()] == ["brain", "image-gate"]
    brain = service.models()[0]
    assert [name for name, _, _ in brain.classes] == ["none", "glioma", "meningioma"]
    assert brain.min_confidence == max(0.6, manifests["brain"].min_confidence)
    with pytest.raises(NotFound, match="there are: brain, image-gate"):
        service.predict("whole", png())


def test_the_engine_gets_the_images_pixels_and_nothing_is_left(world):
    service, engine, scratch, _ = world
    answer = service.predict("brain", png())
    assert answer.prediction.label == "Glioma (91 %)"
    ((model, image, spacing),) = engine.asked
    assert (model, spacing) == ("brain", None)
    assert image.dtype == np.float32
    assert (image == 90).all()
    assert list(scratch.iterdir()) == []
    assert set(answer.seconds) == {"decode", "model", "total"}
    assert answer.codes == {}


def test_nothing_is_left_after_a_failure_either(world):
    service, engine, scratch, _ = world
    engine.error = InferenceFailed("the model failed")
    with pytest.raises(InferenceFailed):
        service.predict("brain", png())
    assert list(scratch.iterdir()) == []


def test_a_refusal_has_its_codes_and_no_picture(world):
    service, engine, _scratch, _ = world
    engine.status = RunStatus.REJECTED
    answer, picture = service.heatmap("brain", png())
    assert picture is None
    own, standard = answer.codes[RejectionKind.CONFIDENCE]
    assert own.meaning == "Confidence is too low"
    assert standard.scheme == "DCM"


def test_the_picture_shows_the_heat_over_the_image_and_says_what_it_is(world):
    service, _engine, _scratch, _ = world
    answer, data = service.heatmap("brain", png())
    assert answer.prediction.explanation.method == "Grad-CAM"
    with Image.open(io.BytesIO(data)) as opened:
        assert (opened.format, opened.mode, opened.info) == ("PNG", "RGB", {})
        picture = np.asarray(opened).astype(int)
    assert picture.shape == (200, 240, 3)  # twice as large, so that the text can be read
    assert np.ptp(picture[70, 160]) > 30
    assert picture[120, 60].tolist() == [90, 90, 90]


def test_a_model_that_explains_nothing_gives_no_picture(world):
    service, engine, _scratch, _ = world
    engine.heat = None
    assert service.heatmap("brain", png())[1] is None


def test_the_gates_model_is_asked_what_an_image_is(world):
    service, engine, _scratch, _ = world
    facts, guess = service.look(png())
    assert (facts.rows, facts.columns) == (100, 120)
    assert engine.asked[0][0] == guess.model == "image-gate"
    assert [one.name for one in guess.classes] == ["glioma", "none"]
    engine.error = InferenceFailed("out of order")
    assert service.look(png())[1].why_not == "out of order"


def test_without_the_gates_model_there_is_no_guess(world, tmp_path):
    _service, engine, scratch, manifests = world
    alone = OneImageService(
        {"brain": manifests["brain"]}, engine.predict_image, scratch, max_pixels=10**6, min_confidence=0
    )
    assert "not installed" in alone.look(png())[1].why_not
    with pytest.raises(InvalidInstance):
        alone.look(b"no image")
