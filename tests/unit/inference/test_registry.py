"""Model packages: valid ones are listed, broken ones with their reason."""

import hashlib
import subprocess
import sys

import pytest
from toy_package import toy_manifest, write_package

from dicom_node.domain.errors import NotFound
from dicom_node.domain.finding import Code
from inference.registry import ModelRegistry


def registry_with(tmp_path, manifest):
    write_package(tmp_path / "packages" / "toy", manifest)
    return ModelRegistry.load([tmp_path / "packages"])


def test_the_built_in_model_is_there_with_its_files():
    registry = ModelRegistry.load()
    assert registry.invalid == {}
    assert registry.check("mr-brain-extraction") == ()


def test_the_built_in_model_reports_an_intracranial_volume_in_standard_codes():
    manifest = ModelRegistry.load().get("mr-brain-extraction")
    (segment,) = manifest.segments
    # PS3.16 CID 7140, CID 4031, CID 7472
    assert segment.type == Code("1101003", "SCT", "Cranial Cavity")
    assert segment.anatomic_region == Code("69536005", "SCT", "Head")
    (measurement,) = segment.measurements
    assert measurement.name == Code("118565006", "SCT", "Volume")
    assert measurement.unit == Code("mL", "UCUM", "milliliter")
    assert manifest.identity.is_ai
    assert manifest.card.limits


def test_the_node_s_process_imports_no_torch():
    program = (
        "import sys; from inference.registry import ModelRegistry; ModelRegistry.load();"
        "import inference.runner.engine; print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_package_of_an_extra_folder_is_listed(tmp_path):
    registry = registry_with(tmp_path, toy_manifest())
    assert registry.get("toy").title == "Toy"
    assert registry.get("toy").segments[0].number == 1


def test_the_extra_folder_may_be_the_package_itself(tmp_path):
    write_package(tmp_path / "toy", toy_manifest())
    assert "toy" in ModelRegistry.load([tmp_path / "toy"]).models


def test_an_extra_folder_that_is_not_there_is_listed_as_invalid(tmp_path):
    assert "cannot be read" in ModelRegistry.load([tmp_path / "mistyped"]).invalid["mistyped"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda m: m.pop("card"), "'card' is a required property"),
        (lambda m: m.update(colour="red"), "colour"),
        (lambda m: m.update(device_uid="1.02.3"), "$.device_uid"),
        (lambda m: m["input"].update(min_slices=0), "$.input.min_slices"),
        (lambda m: m["thresholds"].update(confidence=2), "$.thresholds.confidence"),
        (lambda m: m["adapter"].update(kind="pickle"), "$.adapter.kind"),
        (lambda m: m["gates"].update(after=[{"fact": "x", "text": "x"}]), "$.gates.after[0]"),
        (lambda m: m["gates"].update(after=[{"fact": "x", "text": "x", "at_least": 2, "at_most": 1}]), "x"),
        (lambda m: m["outputs"].update(label="{volume_ml.__class__}"), "label"),
        (lambda m: m["outputs"].update(label="{"), "label"),
        (lambda m: m["input"].update(spacing_mm=[2, 1]), "spacing_mm"),
        (lambda m: m["input"].update(max_slices=1), "min_slices"),
        (
            lambda m: m.update(weights=[{"role": "w", "path": "../w.pt", "sha256": "0" * 64}]),
            "$.weights[0].path",
        ),
    ],
)
def test_a_package_that_breaks_the_contract_is_invalid_and_says_where(tmp_path, change, reason):
    manifest = toy_manifest()
    change(manifest)
    registry = registry_with(tmp_path, manifest)
    assert reason in registry.invalid["toy"]
    assert "mr-brain-extraction" in registry.models


@pytest.mark.parametrize("content", ["", "- 1", "a: [", "\0", "just words"])
def test_a_file_that_is_no_manifest_is_invalid(tmp_path, content):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "model.yaml").write_text(content)
    assert "broken" in ModelRegistry.load([tmp_path]).invalid


def test_a_name_that_is_taken_is_invalid(tmp_path):
    manifest = toy_manifest()
    manifest["name"] = "mr-brain-extraction"
    registry = registry_with(tmp_path, manifest)
    assert "taken" in registry.invalid["toy"]


def test_an_unknown_model_names_those_that_are_there():
    with pytest.raises(NotFound, match="mr-brain-extraction"):
        ModelRegistry.load().get("nothing")


def test_an_invalid_model_says_why_when_asked_for(tmp_path):
    manifest = toy_manifest()
    del manifest["licence"]
    with pytest.raises(NotFound, match="licence"):
        registry_with(tmp_path, manifest).get("toy")


def test_weights_that_were_changed_are_told(tmp_path):
    manifest = toy_manifest()
    good = hashlib.sha256(b"weights").hexdigest()
    manifest["weights"] = [{"role": "net", "path": "net.pt", "sha256": good}]
    registry = registry_with(tmp_path, manifest)
    assert "missing" in registry.check("toy")[0]
    path = tmp_path / "packages" / "toy" / "net.pt"
    path.write_bytes(b"weights")
    assert not any("SHA-256" in problem for problem in registry.check("toy"))
    path.write_bytes(b"other weights")
    assert any("SHA-256" in problem for problem in registry.check("toy"))


def test_an_adapter_that_is_not_installed_is_told(tmp_path):
    manifest = toy_manifest()
    manifest["adapter"]["target"] = "no_such_module:Model"
    assert "no_such_module" in registry_with(tmp_path, manifest).check("toy")[0]


def test_a_distribution_that_is_not_installed_is_told(tmp_path):
    manifest = toy_manifest()
    manifest["weights"] = [{"role": "net", "distribution": "no-such", "path": "net.pt", "sha256": "0" * 64}]
    assert "not installed" in registry_with(tmp_path, manifest).check("toy")[0]
