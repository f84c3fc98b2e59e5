"""What is said of a package without running it: files, licence, codes, trust, documentation."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_package import toy_manifest, write_package

import inference
from dicom_node.domain.errors import ConfigurationError, InvalidModelPackage
from dicom_node.domain.finding import Code
from inference.installed_files import check_sha256, sha256_of
from inference.manifest import read_manifest
from inference.packages.codes import check_codes, find_code
from inference.packages.public_models import public_models
from inference.packages.static import check_package
from inference.packages.trust import TrustStore, look_at, needs_trust


def package(folder, **changes):
    return read_manifest(write_package(folder / "toy", toy_manifest() | changes))


def said(manifest, *, trusted=()):
    return [(f.part, f.error) for f in check_package(manifest, trusted)]


def test_a_sound_package_without_sample_has_that_one_warning(tmp_path):
    assert said(package(tmp_path)) == [("sample", False)]


@pytest.mark.parametrize(
    ("licence", "parts"), [("MIT OR Apache-2.0", []), ("as you like", [("licence", False)])]
)
def test_a_licence_that_is_no_spdx_expression_is_a_warning(tmp_path, licence, parts):
    found = said(package(tmp_path, licence=licence))
    assert [one for one in found if one[0] == "licence"] == parts


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (["123110", "DCM", "Artificial Intelligence"], None),
        (["123110", "DCM", "Magic"], True),
        (["999999", "DCM", "Nothing"], True),
        (["12738006", "SCT", "Brain structure"], False),
        (["0", "SCT", "Nothing"], False),
        (["1", "99MINE", "Mine"], False),
    ],
)
def test_codes_are_looked_up_and_a_wrong_meaning_in_dcm_is_an_error(tmp_path, code, error):
    findings = check_codes(package(tmp_path, family=code))
    assert [f.error for f in findings] == ([] if error is None else [error])


def test_a_label_finds_the_only_concept_that_is_called_so():
    assert find_code("SCT", "spleen") == ("78961009", "Spleen")
    assert find_code("SCT", "no such organ") is None


def test_a_folder_s_hash_changes_with_any_file_or_name_in_it(tmp_path):
    folder = tmp_path / "bundle"
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "x.json").write_text("{}")
    (folder / "b.pt").write_bytes(b"weights")
    before = sha256_of(folder)
    check_sha256(folder, before)
    (folder / "a" / "x.json").write_text("{ }")
    changed = sha256_of(folder)
    (folder / "b.pt").rename(folder / "c.pt")
    assert len({before, changed, sha256_of(folder)}) == 3
    with pytest.raises(InvalidModelPackage, match="SHA-256"):
        check_sha256(folder, before)


def test_a_folder_with_a_link_to_another_is_refused(tmp_path):
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "elsewhere").symlink_to(tmp_path)
    with pytest.raises(InvalidModelPackage, match="link"):
        sha256_of(tmp_path / "bundle")


def pickled(folder, content=b"pickle"):
    folder.mkdir(exist_ok=True)
    raw = toy_manifest()
    write_package(folder / "toy", raw)
    (folder / "toy" / "net.pt").write_bytes(content)
    raw["weights"] = [{"role": "network", "path": "net.pt", "sha256": sha256_of(folder / "toy" / "net.pt")}]
    raw["adapter"] = {"kind": "network", "target": "small-cnn"}
    (folder / "toy" / "model.yaml").write_text(json.dumps(raw))
    return read_manifest(folder / "toy")


def test_trust_is_recorded_by_hash_and_ends_with_a_change_or_on_demand(tmp_path):
    manifest = pickled(tmp_path)
    store = TrustStore(tmp_path / "data")
    assert store.digests() == frozenset()
    assert ("trust", False) in said(manifest)
    store.add(look_at(manifest, at="2026-01-01T00:00:00+00:00", by="erika"))
    (entry,) = store.entries()
    assert (entry.model, entry.by, entry.sha256) == ("toy", "erika", manifest.weights[0].sha256)
    assert ("trust", False) not in said(manifest, trusted=store.digests())
    (tmp_path / "toy" / "net.pt").write_bytes(b"another pickle")
    with pytest.raises(InvalidModelPackage, match="SHA-256"):
        look_at(manifest, at="", by="erika")
    assert store.remove("toy") == 1
    assert store.digests() == frozenset()


def test_packages_without_foreign_code_need_no_trust(tmp_path):
    assert needs_trust(package(tmp_path)) == ()


def test_a_broken_record_of_trust_is_told_and_trusts_nothing(tmp_path):
    (tmp_path / "trusted-models.json").write_text("[{]")
    with pytest.raises(ConfigurationError, match="trusted-models"):
        TrustStore(tmp_path).digests()


def test_an_untrusted_bundle_is_an_error(tmp_path):
    manifest = pickled(tmp_path)
    bundle = replace(manifest, adapter=replace(manifest.adapter, kind="monai-bundle", target="net.pt"))
    assert ("trust", True) in said(bundle)
    assert ("adapter", True) in said(bundle)


def test_every_public_model_is_described_with_its_source_and_valid_codes(tmp_path):
    known = public_models()
    assert {name.split("-")[0] for name in known} >= {
        "totalsegmentator",
        "lungmask",
        "blast",
        "hd",
        "torchxrayvision",
        "brainchop",
        "lgg",
    }
    for name, model in known.items():
        assert all(file.url.startswith("https://") for file in model.files), name
        assert model.tried == "not run", name
        assert bool(model.package) != bool(model.how), name
        if model.package is None:
            continue
        weights = [{"role": role, "path": path, "sha256": "0" * 64} for role, path in model.weights]
        raw = {"schema": 1, "name": name, "device_uid": "2.25.1", "weights": weights, "ai": True}
        raw["family"] = ["123110", "DCM", "Artificial Intelligence"]
        manifest = read_manifest(write_package(tmp_path / name, raw | model.package))
        assert not [f.text for f in check_codes(manifest) if f.error], name


def schema_keys():
    """Top and second level key of everything in the schema, with the names below it."""
    schema = json.loads((Path(inference.__file__).parent / "model.schema.json").read_text(encoding="utf-8"))

    def resolved(node):
        while "$ref" in node:
            node = schema["$defs"][node["$ref"].rpartition("/")[2]]
        return node

    def below(node):
        node = resolved(resolved(node).get("items", node))
        for name, child in node.get("properties", {}).items():
            yield name
            yield from below(child)

    for top, node in schema["properties"].items():
        inner = resolved(node).get("properties")
        if inner is None or top in {"sample", "samples"}:
            yield top, list(below(node))
            continue
        for second, child in inner.items():
            yield f"{top}.{second}", list(below(child))


def test_every_key_of_the_manifest_is_documented_and_none_that_is_gone():
    text = Path(inference.__file__).parents[1].joinpath("docs", "models.md").read_text(encoding="utf-8")
    table = text.partition("## The manifest")[2]
    rows = {}
    for keys, meaning in re.findall(r"^\| (`.+?`) \| (.+) \|$", table, re.MULTILINE):
        rows |= dict.fromkeys(re.findall(r"`([a-z_.]+)`", keys), meaning)
    wanted = dict(schema_keys())
    assert set(rows) == set(wanted)
    missing = {key: [name for name in names if f"`{name}`" not in rows[key]] for key, names in wanted.items()}
    assert {key: names for key, names in missing.items() if names} == {}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.dates(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=60)
@given(data=st.data())
def test_a_manifest_with_anything_anywhere_is_read_or_refused(tmp_path_factory, data):
    import yaml

    raw = toy_manifest()
    node = raw
    while True:
        keys = list(node) if isinstance(node, dict) else range(len(node))
        key = data.draw(st.sampled_from(list(keys)))
        if not isinstance(node[key], dict | list) or not node[key] or data.draw(st.booleans()):
            node[key] = data.draw(VALUES)
            break
        node = node[key]
    folder = tmp_path_factory.mktemp("package")
    (folder / "model.yaml").write_text(yaml.safe_dump(raw), encoding="utf-8")
    try:
        manifest = read_manifest(folder)
    except InvalidModelPackage:
        return
    assert isinstance(manifest.describe({"volume_ml": 1.0}) if "volume_ml" in manifest.label else "", str)


@given(
    text=st.text(max_size=200) | st.from_regex(r"!!(int|float|bool|binary|timestamp) ?.{0,8}", fullmatch=True)
)
def test_any_text_is_read_or_refused(tmp_path_factory, text):
    folder = tmp_path_factory.mktemp("package")
    (folder / "model.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(InvalidModelPackage):
        read_manifest(folder)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda m: m["outputs"].update(label="{volume_ml:>99999}"), "label"),
        (lambda m: m["outputs"].update(label="{volume_ml!r}"), "label"),
        (lambda m: m.update(memory_mb=10**40), "too large"),
        (lambda m: m["gates"]["after"][0].update(at_most=float("nan")), "finite"),
        (lambda m: m.update(task="measurement", adapter={"kind": "onnx"}), "measurements"),
        (lambda m: m.update(adapter={"kind": "onnx"}), "needs a file"),
        (lambda m: m.update(adapter={"kind": "monai-bundle", "target": "b"}, weights=[]), "weights"),
        (
            lambda m: m.update(sample={"path": "x.png", "sha256": "0" * 64, "expected_class": "x"}),
            "no class x",
        ),
        (lambda m: m.update(sample={"path": "x.png", "sha256": "0" * 64, "fact": "volume_ml"}), "expected"),
    ],
)
def test_parts_that_contradict_each_other_are_told(tmp_path, change, reason):
    raw = toy_manifest()
    change(raw)
    with pytest.raises(InvalidModelPackage, match=reason):
        read_manifest(write_package(tmp_path / "toy", raw))


def test_codes_of_a_package_are_all_looked_at(tmp_path):
    raw = toy_manifest()
    raw["outputs"]["segments"][0]["anatomic_region"] = ["1", "99MINE", "Mine"]
    findings = check_codes(read_manifest(write_package(tmp_path / "toy", raw)))
    assert [f.text for f in findings] == [
        f"({Code('1', '99MINE', 'Mine').value}, 99MINE, Mine) is private: other systems cannot read it"
    ]
