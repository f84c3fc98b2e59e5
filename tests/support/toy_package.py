"""Writes a valid model package to a folder; a test breaks what it wants to break."""

import copy
from pathlib import Path

import pytest
import yaml

_TOY = {
    "schema": 1,
    "name": "toy",
    "version": "1.0",
    "device_uid": "2.25.1",
    "title": "Toy",
    "manufacturer": "Tests",
    "task": "segmentation",
    "licence": "MIT",
    "ai": False,
    "family": ["123110", "DCM", "Artificial Intelligence"],
    "card": {"intended_use": "Tests.", "training": "None.", "confidence": "Made up.", "limits": ["All."]},
    "weights": [],
    "input": {
        "modalities": ["MR"],
        "sop_classes": ["1.2.840.10008.5.1.4.1.1.4"],
        "body_parts": ["HEAD"],
        "min_slices": 4,
        "spacing_mm": [0.1, 5],
    },
    "gates": {
        "before": [{"fact": "distinct_values", "text": "different values", "at_least": 2}],
        "after": [{"fact": "volume_ml", "text": "volume", "at_most": 5}],
    },
    "outputs": {
        "label": "Bright volume {volume_ml:.2f} mL",
        "segments": [
            {
                "label": "Bright",
                "category": ["91723000", "SCT", "Anatomical Structure"],
                "type": ["12738006", "SCT", "Brain"],
                "cielab": [60, 10, 10],
                "measurements": [
                    {
                        "fact": "volume_ml",
                        "name": ["118565006", "SCT", "Volume"],
                        "unit": ["mL", "UCUM", "milliliter"],
                        "digits": 3,
                    }
                ],
            }
        ],
    },
    "thresholds": {"confidence": 0.5},
    "memory_mb": 100,
    "adapter": {"kind": "python", "target": "toy_model:ToyModel"},
}


def toy_manifest():
    """The raw manifest, a copy."""
    return copy.deepcopy(_TOY)


def write_package(folder, manifest):
    """Write `model.yaml` into a new folder."""
    folder.mkdir(parents=True)
    (folder / "model.yaml").write_text(yaml.safe_dump(manifest, sort_keys=False))
    return folder


@pytest.fixture(scope="module")
def quick_model(tmp_path_factory):
    """A folder of a model package that the node's model process can load, and that is quick."""
    folder = tmp_path_factory.mktemp("models")
    manifest = toy_manifest()
    manifest["gates"]["after"][0]["at_most"] = 10_000
    write_package(folder / "toy", manifest)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))
        yield folder
