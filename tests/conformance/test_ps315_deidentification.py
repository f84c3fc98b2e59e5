"""PS3.15 Annex E, clause by clause (CONFORMANCE.md §5)."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
from collections import Counter
from typing import TYPE_CHECKING

import pydicom
import pytest
from pydicom._dicom_dict import DicomDictionary
from pydicom.data import get_testdata_file
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

from anonymizer.codec import LONG_VRS, SHORT_VRS, Dataset, Element
from anonymizer.dummies import DUMMY_TEXTS
from anonymizer.engine import Engine
from anonymizer.errors import CannotVouch
from anonymizer.part10 import Part10, standard_dictionary
from anonymizer.plan import Step, resolve
from anonymizer.profile import Option, Profile
from anonymizer.table import Rule, load_attribute_types, load_table

if TYPE_CHECKING:
    from pathlib import Path

TABLE = load_table()
PART10 = Part10(standard_dictionary(TABLE))
VRS = standard_dictionary(TABLE)
#: The table alone: what lies beyond it has tests of its own.
ENGINE = Engine(bytes(range(32)), Profile(frozenset(), default_deny=False))

#: Counts of the edition 2024e that CONFORMANCE.md names; later editions only add rows.
COUNTS_2024E = {
    "X": 384, "D": 92, "U": 54, "Z": 42, "X/D": 22, "X/Z": 11, "X/Z/D": 8, "Z/D": 6, "X/Z/U*": 2,
}  # fmt: skip

CANARY_TEXT = b"QXCANARYXQ"
CANARY_UID = b"1.2.276.0.7230010.3.77.815"
CANARY_DATE = b"19870611"
CANARIES = (CANARY_TEXT, CANARY_UID, CANARY_DATE, b"113355.77")
#: Sequences that the profile keeps, as scaffolding for nesting.
SCAFFOLD = (0x00082218, 0x00082220, 0x00082228)


def canary(vr: str) -> Element:
    if vr == "SQ":
        return Element(
            "SQ", [{0x00081155: Element("UI", CANARY_UID), 0x00081030: Element("LO", CANARY_TEXT)}]
        )
    value = {
        "UI": CANARY_UID,
        "DA": CANARY_DATE,
        "DT": CANARY_DATE + b"113355.77",
        "TM": b"113355.77",
        "DS": b"113355.77",
        "IS": CANARY_DATE,
        "AS": b"037Y",
    }.get(vr, CANARY_TEXT)
    return Element(vr if vr in LONG_VRS | SHORT_VRS else "OB", value)


def base() -> Dataset:
    return {
        0x00080016: Element("UI", MRImageStorage.encode()),
        0x00080018: Element("UI", b"1.2.3.3"),
        0x0020000D: Element("UI", b"1.2.3.1"),
        0x0020000E: Element("UI", b"1.2.3.2"),
    }


def file_of(dataset: Dataset) -> bytes:
    return PART10.write(dataset, ExplicitVRLittleEndian)


def planted(tag: int, depth: int) -> Dataset:
    inner: Dataset = {tag: canary(VRS[tag])}
    for scaffold in SCAFFOLD[:depth]:
        inner = {scaffold: Element("SQ", [inner])}
    return {**base(), **inner}


def at_depth(dataset: Dataset, depth: int) -> Dataset:
    for scaffold in SCAFFOLD[:depth][::-1]:
        value = dataset[scaffold].value
        assert isinstance(value, list)
        dataset = value[0]
    return dataset


def ordinary_rules() -> list[tuple[int, Rule]]:
    return [(tag, rule) for tag, rule in TABLE.by_tag.items() if tag >> 16 >= 8]


# ---------------------------------------------------------------- the table


def test_table_names_its_edition_and_counts():
    counts = Counter(rule.basic for rule in TABLE.rules)
    assert TABLE.edition == "2026d"
    assert sum(counts.values()) == len(TABLE.rules) == 657
    assert counts == {
        "X": 417, "D": 93, "U": 55, "Z": 42, "X/D": 23, "X/Z": 11, "X/Z/D": 8, "Z/D": 6, "X/Z/U*": 2,
    }  # fmt: skip


def test_table_only_adds_to_edition_2024e():
    counts = Counter(rule.basic for rule in TABLE.rules)
    assert counts.keys() == COUNTS_2024E.keys()
    assert all(counts[action] >= number for action, number in COUNTS_2024E.items())
    assert sum(COUNTS_2024E.values()) == 621


def test_table_has_repeating_groups_and_the_private_row():
    tags = {rule.tag: rule.basic for rule in TABLE.rules}
    assert {tags[t] for t in ("50xxxxxx", "60xx3000", "60xx4000", "PRIVATE")} == {"X"}


def test_table_carries_every_option_column():
    pixels = {Option.CLEAN_PIXEL_DATA, Option.CLEAN_RECOGNIZABLE_VISUAL_FEATURES}
    assert len(Option) == 12
    assert {option.column for option in set(Option) - pixels} == set(TABLE.option_columns)
    for column in TABLE.option_columns:
        assert {rule.options[column] for rule in TABLE.rules if column in rule.options} <= {"K", "C"}
        assert any(column in rule.options for rule in TABLE.rules)


def test_every_attribute_of_the_table_has_a_vr_even_where_pydicom_lacks_it():
    newer = [rule for tag, rule in TABLE.by_tag.items() if tag not in DicomDictionary]
    assert len(newer) == 26
    assert all(tag in VRS for tag in TABLE.by_tag)


def test_option_codes_are_those_of_cid_7050():
    meanings = {
        code.value: code.meaning for name in codes.cid7050.dir() if (code := getattr(codes.cid7050, name))
    }
    assert {(option.code, option.meaning) for option in Option} <= set(meanings.items())
    assert dict(Profile().codes).items() <= meanings.items()


# ---------------------------------------------------------------- the actions


OWN_STATEMENTS = {0x00120063, 0x00120064}
PATIENT = {0x00100010, 0x00100020}


def assert_action(rule: Rule, tag: int, element: Element | None) -> None:
    """The element is what the action of the rule makes of it."""
    if rule.basic == "X":
        assert element is None, rule.keyword
    if element is None:
        assert "X" in rule.basic, rule.keyword
    elif isinstance(element.value, list):
        assert element.value or "Z" in rule.basic, rule.keyword
    elif VRS[tag] == "UI":
        assert bytes(element.value).startswith(b"2.25."), rule.keyword
    else:
        value = bytes(element.value)
        assert value in DUMMY_TEXTS or not any(value), rule.keyword
        assert value or "Z" in rule.basic, rule.keyword


@pytest.mark.parametrize("depth", [0, 3])
def test_no_planted_attribute_of_the_table_survives(depth):
    skipped = set() if depth else base().keys() | OWN_STATEMENTS | PATIENT
    for tag, rule in ordinary_rules():
        out = ENGINE.deidentify(file_of({**planted(tag, depth), **base()}))
        for value in CANARIES:
            assert value not in out.data, (rule.keyword, depth)
        if tag not in skipped:
            assert_action(rule, tag, at_depth(PART10.read(out.data).dataset, depth).get(tag))


@pytest.mark.parametrize("depth", [0, 3])
def test_patient_characteristics_stay_where_the_option_says_keep(depth):
    profile = Profile(frozenset({Option.RETAIN_PATIENT_CHARACTERISTICS}), default_deny=False)
    engine = Engine(bytes(range(32)), profile)
    kept = {
        tag for tag, rule in ordinary_rules() if "K" in rule.options.get("retain_patient_characteristics", "")
    }
    assert len(kept) == 14
    for tag in kept:
        out = at_depth(PART10.read(engine.deidentify(file_of(planted(tag, depth))).data).dataset, depth)
        if VRS[tag] == "SQ":
            assert out[tag].value, hex(tag)
        else:
            assert bytes(out[tag].value).strip() == canary(VRS[tag]).value, hex(tag)


def test_combined_actions_follow_the_type_of_the_attribute():
    types = {
        0x1: "1", 0x2: "2", 0x3: "3", 0x4: "1C", 0x5: "2C",
        0x9 << 32 | 0x1: "3",
    }  # fmt: skip
    expected = {
        "X/Z": {1: Step.DUMMY, 2: Step.EMPTY, 3: Step.REMOVE, 6: Step.REMOVE},
        "X/D": {1: Step.DUMMY, 2: Step.DUMMY, 3: Step.REMOVE, 4: Step.DUMMY},
        "X/Z/D": {1: Step.DUMMY, 2: Step.EMPTY, 3: Step.REMOVE, 5: Step.EMPTY},
        "Z/D": {1: Step.DUMMY, 2: Step.EMPTY, 3: Step.EMPTY},
        "X/Z/U*": {1: Step.RECURSE, 2: Step.RECURSE, 3: Step.REMOVE},
    }
    for actions, by_tag in expected.items():
        for tag, step in by_tag.items():
            assert resolve(actions, 0, tag, types) is step, (actions, tag)
    # Nested where the IOD says nothing, or an unknown IOD: what keeps any IOD valid.
    for where in ((7, 1, types), (0, 1, None)):
        assert resolve("X/Z/D", *where) is Step.DUMMY
        assert resolve("X/Z", *where) is Step.EMPTY
        assert resolve("X/Z/U*", *where) is Step.RECURSE
    assert resolve("X/D", 9, 1, types) is Step.REMOVE


def test_types_come_from_the_iod_of_the_instance():
    types = load_attribute_types()
    mr, seg = types.of(MRImageStorage), types.of("1.2.840.10008.5.1.4.1.1.66.4")
    assert mr is not None
    assert seg is not None
    assert mr[0x00080023] == "2C"  # ContentDate
    assert seg[0x00080023] == "1"
    assert types.of("1.2.3") is None


# ---------------------------------------------------------------- what is added and written anew


def test_the_object_says_how_it_was_deidentified():
    ds = pydicom.dcmread(io.BytesIO(Engine(bytes(32)).deidentify(file_of(base())).data))
    assert ds.PatientIdentityRemoved == "YES"
    assert "2026d" in ds.DeidentificationMethod
    assert ds.LongitudinalTemporalInformationModified == "REMOVED"
    items = [(i.CodeValue, i.CodingSchemeDesignator) for i in ds.DeidentificationMethodCodeSequence]
    assert items == [(code, "DCM") for code in ("113100", "113103", "113104", "113105", "113108")]


def test_preamble_and_file_meta_are_written_anew():
    source = pydicom.dcmread(io.BytesIO(file_of(base())))
    source.preamble = b"CANARY".ljust(128, b"\1")
    source.file_meta.SourceApplicationEntityTitle = "CANARY"
    source.file_meta.PrivateInformationCreatorUID = "1.2.3.4"
    source.file_meta.PrivateInformation = b"CANARY"
    buffer = io.BytesIO()
    source.save_as(buffer)
    out = ENGINE.deidentify(buffer.getvalue())
    assert b"CANARY" not in out.data
    ds = pydicom.dcmread(io.BytesIO(out.data))
    assert ds.preamble == bytes(128)
    assert ds.file_meta.MediaStorageSOPInstanceUID == out.sop_instance_uid
    assert [e.tag.element for e in ds.file_meta] == [0x0, 0x1, 0x2, 0x3, 0x10, 0x12, 0x13]


# ---------------------------------------------------------------- the result stays valid for its IOD

_DCIODVFY = shutil.which("dciodvfy")
needs_dciodvfy = pytest.mark.skipif(
    _DCIODVFY is None and not os.environ.get("CI"),
    reason="dciodvfy (Debian package dicom3tools) is not there",
)

SAMPLES = [
    "CT_small.dcm", "MR_small.dcm", "MR_small_RLE.dcm", "MR_small_implicit.dcm", "MR_small_bigendian.dcm",
    "693_J2KI.dcm", "examples_overlay.dcm", "examples_ybr_color.dcm", "examples_palette.dcm", "rtplan.dcm",
    "rtdose_1frame.dcm", "liver_1frame.dcm", "test-SR.dcm", "reportsi.dcm", "waveform_ecg.dcm",
    "SC_rgb_small_odd.dcm", "SC_rgb_rle_2frame.dcm",
]  # fmt: skip


def errors(path: Path) -> Counter[str]:
    assert _DCIODVFY is not None, "CI has to install dicom3tools"
    done = subprocess.run([_DCIODVFY, "-new", str(path)], capture_output=True, check=False)
    lines = (done.stdout + done.stderr).decode("latin-1").splitlines()
    return Counter(re.sub(r" = <.*", "", line) for line in lines if line.startswith("Error"))


@needs_dciodvfy
@pytest.mark.parametrize("name", SAMPLES)
def test_dciodvfy_finds_no_error_that_the_input_did_not_have(name, tmp_path):
    source = pydicom.dcmread(str(get_testdata_file(name, download=False)))
    source.BurnedInAnnotation = "NO"
    before, after = tmp_path / "in.dcm", tmp_path / "out.dcm"
    source.save_as(before)
    try:
        after.write_bytes(Engine(bytes(32)).deidentify(before.read_bytes()).data)
    except CannotVouch as exc:
        pytest.fail(f"refused: {exc}")
    assert errors(after) - errors(before) == Counter()
