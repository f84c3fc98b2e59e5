"""A classifier of a few lines that runs in the model process, and its package; no torch."""

import os
from pathlib import Path

import numpy as np
import pytest
from task_packages import classifier_manifest
from toy_package import write_package

from inference.runner.adapter import Heat, ModelOutput


class ToyClassifier:
    """Says that what is bright is a glioma, and shows where; dim images are none."""

    def __init__(self, weights, device):
        self.device = device

    def warm_up(self):
        pass

    def predict(self, volume):
        voxels = volume.voxels.astype(np.float32)
        grey = voxels.mean(axis=3) if voxels.ndim == 4 else voxels
        bright = (grey > 200).astype(np.float32)
        share = float(bright.mean())
        glioma = 0.95 if share > 0.02 else 0.04
        classes = {"none": 0.97 - glioma, "glioma": glioma, "meningioma": 0.03}
        heat = Heat(bright, tuple(range(len(bright))), "Brightness", "glioma" if glioma > 0.5 else "none")
        return ModelOutput(max(classes.values()), classes=classes, heat=heat)


def toy_classifier_manifest(name="toy-brain"):
    """A raw manifest of it."""
    raw = classifier_manifest()
    raw |= {
        "name": name,
        "title": "Toy brain tumour",
        "weights": [],
        "adapter": {"kind": "python", "target": "toy_classifier:ToyClassifier"},
    }
    raw["input"] |= {"kind": "image"}
    raw["outputs"]["explanation"] = {"method": "grad-cam"}
    raw["card"] = {**raw["card"], "intended_use": "Tests of one image.", "limits": ["Only for tests."]}
    raw["card"]["notices"] = ["Trained on nothing."]
    return raw


@pytest.fixture(scope="module")
def toy_classifier(tmp_path_factory):
    """A folder of its package that a node's model process can load."""
    folder = tmp_path_factory.mktemp("classifiers")
    write_package(folder / "toy-brain", toy_classifier_manifest())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
        yield folder
