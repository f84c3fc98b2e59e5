"""A model that needs another's result gets it, and is the one that answers, outside the pipeline too."""

from dataclasses import replace

import numpy as np
import pytest
from model_series import mr_slices
from toy_package import toy_manifest, write_package

from dicom_node.domain.errors import InferenceFailed
from dicom_node.domain.finding import Prediction
from dicom_node.domain.run import Assignment, RoutingDecision, RunStatus
from inference import cli_api
from inference.registry import ModelRegistry
from inference.runner.offline import run_decided


class Engine:
    """Answers with the model's name and remembers what it was fed with."""

    def __init__(self, registry=None, **settings):
        self.registry, self.fed = registry, {}

    def run(self, assignment, study, scratch, feeds):
        self.fed[assignment.model] = {name: one.series_instance_uid for name, one in feeds.items()}
        model = replace(ModelRegistry.load().get("mr-brain-extraction").identity, name=assignment.model)
        return Prediction(model, assignment.series_instance_uid, RunStatus.DONE)

    def close(self):
        pass


def decision(*assignments):
    return RoutingDecision(assignments, (), ("MR",), "BRAIN")


def test_model_is_fed_with_what_was_made_of_its_own_series():
    engine = Engine()
    chosen = decision(
        Assignment("mask", "1", "1.1", "r"),
        Assignment("mask", "1", "1.2", "r"),
        Assignment("tissue", "1", "1.2", "r", ("mask",)),
    )
    assert run_decided(engine, chosen, "tissue", None, None).model.name == "tissue"
    assert engine.fed == {"mask": {}, "tissue": {"mask": "1.2"}}


def test_model_is_fed_with_what_was_made_of_another_series_where_there_is_no_own():
    engine = Engine()
    chosen = decision(Assignment("mask", "1", "1.1", "r"), Assignment("tissue", "1", "1.2", "r", ("mask",)))
    run_decided(engine, chosen, "tissue", None, None)
    assert engine.fed["tissue"] == {"mask": "1.1"}


def test_model_without_a_series_says_so():
    with pytest.raises(InferenceFailed, match="no"):
        run_decided(Engine(), decision(Assignment("mask", "1", "1.1", "r")), "tissue", None, None)


def test_command_runs_the_model_that_was_asked_for_not_the_one_it_needs(tmp_path, monkeypatch):
    for name, requires in (("mask", []), ("tissue", ["mask"])):
        write_package(tmp_path / "models" / name, toy_manifest() | {"name": name, "requires": requires})
    (tmp_path / "series").mkdir()
    for number, ds in enumerate(mr_slices(np.full((8, 16, 16), 5, np.uint16))):
        ds.save_as(tmp_path / "series" / f"{number}.dcm", enforce_file_format=True)
    monkeypatch.setattr(cli_api, "ProcessEngine", Engine)
    registry = ModelRegistry.load([tmp_path / "models"])
    prediction = cli_api.run_on_folder(registry, "tissue", tmp_path / "series")
    assert prediction.model.name == "tissue"
