"""The stage that runs a model: what it keeps of each series, and what a dead process means for several."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from dicom_node.domain.errors import InferenceFailed, ModelProcessFailed
from dicom_node.domain.finding import Code, ModelIdentity, Prediction
from dicom_node.domain.run import Assignment, RunStatus
from dicom_node.pipeline.infer import infer
from dicom_node.pipeline.predictions import load_prediction, save_prediction

MODEL = ModelIdentity("m", "1", "M", "Tests", "2.25.1", Code("123110", "DCM", "AI"))


class Blobs(dict):
    def write(self, slot, name, stream):
        self[name] = stream.read()
        return name

    def read(self, ref):
        return self[ref]


class Metrics:
    def __init__(self):
        self.told = []

    def count(self, name, **labels):
        self.told.append((name, labels["status"]))

    def observe(self, name, value, **labels):
        self.told.append((name, value))


class Engine:
    """Takes two series at once, and remembers what each was fed with."""

    def __init__(self, error=None):
        self.error, self.fed = error, {}

    def run_batch(self, assignments, study, scratch, feeds):
        assert scratch.is_dir()
        if self.error is not None:
            raise self.error
        taken = assignments[:2]
        self.fed |= {one.series_instance_uid: feeds(one) for one in taken}
        return tuple(
            Prediction(MODEL, one.series_instance_uid, status, elapsed_s=1.5)
            for one, status in zip(taken, (RunStatus.DONE, RunStatus.REJECTED), strict=False)
        )


@pytest.fixture
def services(tmp_path):
    def made(error=None):
        study = SimpleNamespace(slot="slot", study_instance_uid="2.25.2")
        return SimpleNamespace(
            index=SimpleNamespace(study=lambda _: study),
            catalog=SimpleNamespace(find=lambda _: ()),
            stores=SimpleNamespace(scratch=tmp_path / "scratch", work=Blobs(), read=None),
            metrics=Metrics(),
            engine=Engine(error),
        )

    return made


def assignments(*series):
    return tuple(Assignment("m", "1", one, "r", ("mask",)) for one in series)


def test_predictions_of_the_series_that_were_taken_are_kept_and_counted(services):
    made = services()
    mask = Prediction(MODEL, "1.1", RunStatus.DONE)
    refs = infer(made, "s", 1, assignments("1.1", "1.2", "1.3"), [[_kept(made, mask)], [], []])
    assert [load_prediction(made.stores.work, one).series_instance_uid for one in refs] == ["1.1", "1.2"]
    assert {series: list(fed) for series, fed in made.engine.fed.items()} == {"1.1": ["m"], "1.2": []}
    assert made.metrics.told == [
        ("model_runs", "done"),
        ("model_seconds", 1.5),
        ("model_runs", "rejected"),
        ("model_seconds", 1.5),
    ]
    assert list(Path(made.stores.scratch).iterdir()) == []


def _kept(made, prediction):
    return save_prediction(made.stores.work, "slot", "needed", prediction)


def test_a_process_that_dies_is_tried_again_with_one_series_but_not_with_several(services):
    made = services(ModelProcessFailed("ended by SIGSEGV"))
    with pytest.raises(ModelProcessFailed):
        infer(made, "s", 1, assignments("1.1"), [[]])
    with pytest.raises(InferenceFailed, match="SIGSEGV"):
        infer(made, "s", 1, assignments("1.1", "1.2"), [[], []])
    assert list(Path(made.stores.scratch).iterdir()) == []
