"""Manifests of networks for the tasks, and networks of a few lines that need no torch."""

import numpy as np
from toy_package import toy_manifest

CLASSES = ("none", "glioma", "meningioma")


def classifier_manifest(classes=CLASSES, *, preprocessing=None, postprocessing=None, **classification):
    """A raw manifest of a classifier; the first class is the lack of a finding."""
    raw = toy_manifest()
    raw["task"] = "classification"
    raw["input"] |= {"kind": "slices", "min_slices": 1}
    raw["gates"] = {"before": [], "after": []}
    raw["outputs"] = {
        "label": "{class_label} ({probability_percent:.0f} %)",
        "region": ["12738006", "SCT", "Brain"],
        "classification": {
            "mode": "multi-class",
            "classes": [
                {
                    "name": name,
                    "label": name.capitalize(),
                    "code": [str(number), "99TEST", name],
                    "abnormal": number > 1,
                }
                for number, name in enumerate(classes, 1)
            ],
            **classification,
        },
    }
    return _with_network(
        raw, preprocessing or {"size": [8, 8], "intensity": {"range": [0, 1]}}, postprocessing
    )


def segmenter_manifest(segments=1, *, preprocessing, postprocessing=None):
    """A raw manifest of a segmenter."""
    raw = toy_manifest()
    first = raw["outputs"]["segments"][0]
    raw["outputs"]["segments"] = [{**first, "label": f"Segment {n}"} for n in range(1, segments + 1)]
    return _with_network(raw, preprocessing, postprocessing)


def detector_manifest(names=("nodule",), *, preprocessing, postprocessing=None):
    """A raw manifest of a detector."""
    raw = toy_manifest()
    raw["task"] = "detection"
    raw["outputs"] = {
        "label": "{detections:.0f} boxes",
        "detections": [
            {"name": name, "label": name.capitalize(), "code": ["1", "99TEST", name], "cielab": [60, 10, 10]}
            for name in names
        ],
    }
    return _with_network(raw, preprocessing, postprocessing)


def _with_network(raw, preprocessing, postprocessing):
    raw["weights"] = [{"role": "network", "path": "network.safetensors", "sha256": "0" * 64}]
    raw["adapter"] = {
        "kind": "network",
        "target": "test",
        "preprocessing": preprocessing,
        "postprocessing": postprocessing or {},
    }
    return raw


class Network:
    """`LoadedNetwork` over a function of arrays; remembers the sizes of the batches that it got."""

    module = None

    def __init__(self, function):
        self._function = function
        self.batches = []

    def __call__(self, batch):
        self.batches.append(len(batch))
        made = self._function(np.asarray(batch))
        return made if isinstance(made, dict) else {"output": made}
