"""`dicom-node routes`: rules are listed, and tried on folders of files with many studies."""

import json
import shutil

import numpy as np
import pytest
from model_series import mr_slices
from pydicom.data import get_testdata_file
from typer.testing import CliRunner

from dicom_node.cli.routes import app
from dicom_node.domain.errors import ConfigurationError, InferenceFailed

CONFIG = """
routes:
  - name: heads
    when: {modality: MR, body_part: HEAD, attributes: {SeriesDescription: mprage}}
    unless: {orientation: oblique}
    models: mr-brain-extraction
    stop: true
    sample: 0.5
    priority: stat
  - {name: rest, models: [mr-brain-extraction]}
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "node.yaml"
    path.write_text(CONFIG)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("studies")
    for description, count in (("t1_mprage", 24), ("Muster Erika", 24), ("scout", 3)):
        place = root / description
        place.mkdir()
        for n, ds in enumerate(mr_slices(np.zeros((count, 4, 4), np.uint16), spacing=(5.0, 1.0, 1.0))):
            ds.SeriesDescription = description
            ds.save_as(place / f"{n}.dcm", enforce_file_format=True)
    shutil.copytree(root / "scout", root / "the same again")
    for name in ("CT_small.dcm", "RG1_J2KI.dcm", "bad_sequence.dcm"):
        shutil.copy(get_testdata_file(name), root / name)
    (root / "notes.txt").write_text("no DICOM")
    return root


def call(*arguments):
    result = CliRunner().invoke(app, [str(one) for one in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


def test_rules_are_listed_with_all_that_they_say(config):
    first, second = call("list", "--config", config).splitlines()
    assert first == (
        'heads: modality MR, body part HEAD, SeriesDescription "mprage", not (orientation oblique)'
        " -> mr-brain-extraction, stop, sample 0.5, stat"
    )
    assert second == "rest: every series -> mr-brain-extraction"
    assert json.loads(call("list", "--json", "--config", config))[0]["stop"] is True


def test_a_folder_of_many_studies_is_tried_and_summed_up(folder, config):
    told = call("explain", folder, "--config", config)
    assert "2 of 6 studies go to a model" in told
    assert "MR, 24 axial images, 5.00 mm apart" in told
    assert "no scan: it is a localiser" in told
    assert "view PA" in told
    assert "a dry run takes every one" in told
    assert "Muster" not in told
    (table,) = [block for block in told.split("\n\n") if block.startswith("models")]
    assert len(table.splitlines()) == 7


def test_a_dry_run_is_there_for_scripts(folder, config):
    told = json.loads(call("explain", folder, "--json", "--config", config))
    routes = {tuple(a["route"] for a in one["assignments"]): one for one in told}
    assert set(routes) == {("heads",), ("rest",), ()}
    assert routes["heads",]["stat"] is True
    assert routes["rest",]["stat"] is False
    assert all(one["reasons"] for one in told)
    assert all((one["rejection"] is None) is bool(one["assignments"]) for one in told)
    counts = sorted((one["images"], one["series"]) for one in told)
    assert counts == [(1, 1), (1, 1), (1, 1), (3, 1), (24, 1), (24, 1)]


def test_a_folder_without_files_and_rules_that_mean_nothing_are_told(tmp_path, config):
    with pytest.raises(InferenceFailed, match="holds no DICOM files"):
        call("explain", tmp_path, "--config", config)
    config.write_text("routes: [{name: r, models: [nothing]}]")
    with pytest.raises(ConfigurationError, match="no model nothing"):
        call("explain", tmp_path, "--config", config)
