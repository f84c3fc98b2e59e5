from __future__ import annotations

import pytest
from pydicom.uid import ExplicitVRLittleEndian

from anonymizer.codec import Element
from anonymizer.engine import Engine
from anonymizer.errors import CannotVouch
from anonymizer.markers import markers
from anonymizer.part10 import Part10, standard_dictionary
from anonymizer.plan import Plan
from anonymizer.profile import Profile
from anonymizer.table import load_attribute_types, load_known_attributes, load_table
from anonymizer.text.cleaning import TextCleaner
from anonymizer.text.elements import ElementText
from anonymizer.text.evidence import Evidence
from anonymizer.verify import Verifier

KEY = bytes(range(32))

TABLE = load_table()
PART10 = Part10(standard_dictionary(TABLE))
PROFILE = Profile(frozenset())
PLAN = Plan(TABLE, load_attribute_types(), load_known_attributes(), PROFILE, standard_dictionary(TABLE))
VERIFIER = Verifier(TABLE, PLAN, PROFILE, PART10, {})


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(KEY, PROFILE)


@pytest.fixture
def output(engine: Engine, make_mr, to_bytes):
    """(data set, evidence, uids, patient) of a good output, to be tampered with."""
    data = to_bytes(make_mr())
    out = engine.deidentify(data)
    evidence = Evidence()
    evidence.collect(PART10.read(data).dataset)
    dataset = PART10.read(out.data).dataset
    return dataset, evidence, out.uids, bytes(dataset[0x00100020].value).decode().strip()


def check(output, preamble: bytes = bytes(128)) -> None:
    dataset, evidence, uids, patient = output
    data = preamble + PART10.write(dataset, ExplicitVRLittleEndian)[128:]
    words = ElementText(TextCleaner(evidence), TextCleaner(evidence, aggressive=True), evidence)
    VERIFIER.check(data, words, uids, patient, markers(PROFILE, TABLE.edition))


def test_good_output_passes(output):
    check(output)


@pytest.mark.parametrize("depth", [0, 1, 3])
@pytest.mark.parametrize(
    ("tag", "element", "rule", "keyword"),
    [
        (0x0008103E, Element("LO", b"T1 sag"), "attribute-not-removed", "SeriesDescription"),
        (0x60003000, Element("OW", b"\1\2"), "attribute-not-removed", "OverlayData"),
        (0x00291001, Element("LO", b"x"), "private-attribute", "00291001"),
        (0x00080050, Element("SH", b"12"), "attribute-not-replaced", "AccessionNumber"),
        (0x00189074, Element("DT", b"20240229101112"), "attribute-not-replaced", "FrameAcquisitionDateTime"),
        (0x00404034, Element("SQ", [{}]), "attribute-not-removed", "ScheduledHumanPerformersSequence"),
        (0x00080018, Element("UI", b"1.2.3.4"), "uid-not-replaced", "SOPInstanceUID"),
        (0x00081167, Element("UI", b"1.2.3\\1.2.840.10008.1.1"), "uid-not-replaced",
         "MultiFrameSourceSOPInstanceUID"),
        (0x00080104, Element("LO", b"after Zwitscherine"), "identity-left", "CodeMeaning"),
        (0x00080104, Element("LO", "KANARIENVÖGEL".encode("latin-1")), "identity-left", "CodeMeaning"),
        (0x00080104, Element("LO", b"born 1931-04-05"), "identity-left", "CodeMeaning"),
        (0x00181075, Element("DS", b"Ottokar"), "identity-left", "RadionuclideHalfLife"),
        (0x00281201, Element("OW", b"..PID00815.."), "identity-left", "RedPaletteColorLookupTableData"),
        (0x00280010, Element("US", b"Zwitscherine"), "identity-left", "Rows"),
        (0x00080104, Element("LO", b"see 1.2.276.0.7230010.3.9999.1"), "original-uid-in-text", None),
    ],
)  # fmt: skip
def test_tampered_output_is_refused_at_any_depth(output, tag, element, rule, keyword, depth):
    inner = {tag: element}
    for scaffold in (0x00082218, 0x00082220, 0x00082228)[:depth]:
        inner = {scaffold: Element("SQ", [inner])}
    output[0].update(inner)
    with pytest.raises(CannotVouch) as caught:
        check(output)
    assert caught.value.rule == rule
    assert caught.value.keyword == keyword
    for secret in ("zwitscherine", "kanarien", "1931", "ottokar", "pid00815", "1.2.276", "t1 sag"):
        assert secret not in str(caught.value).lower()


def test_a_preamble_is_refused(output):
    with pytest.raises(CannotVouch, match="preamble"):
        check(output, b"II*\0".ljust(128, b"\0"))


def test_another_patient_id_is_refused(output):
    output[0][0x00100020] = Element("LO", b"ANON-AAAAAAAAAAAA")
    with pytest.raises(CannotVouch, match="attribute-not-replaced"):
        check(output)


@pytest.mark.parametrize("harmless", [b"abc Kanariena", b"2931", b"1931", b"head", b"S7717"])
def test_words_that_only_resemble_identity_pass(output, harmless):
    output[0][0x00080104] = Element("LO", harmless)
    check(output)


def test_a_patient_called_like_our_own_statement_passes(engine, make_mr, to_bytes):
    out = engine.deidentify(to_bytes(make_mr(PatientName="Basic^Profile", PatientID="Retain Patient")))
    engine.deidentify(out.data)


def test_a_statement_that_is_not_ours_is_searched(output):
    output[0][0x00120063] = Element("LO", b"by Dr. Ottokar")
    with pytest.raises(CannotVouch, match="identity-left"):
        check(output)


def test_the_makers_name_is_no_institution(output, engine, make_mr, to_bytes):
    engine.deidentify(to_bytes(make_mr(InstitutionName="Test Works", Manufacturer="Test Works Inc.")))


def test_names_in_other_scripts_are_found(engine, make_mr, to_bytes):
    ds = make_mr(
        SpecificCharacterSet="ISO_IR 192", PatientName="Yamada^Tarou=山田^太郎=やまだ^たろう", PatientID="1"
    )
    engine.deidentify(to_bytes(ds))
    ds.ManufacturerModelName = "made for やまだ"
    assert "やまだ".encode() not in engine.deidentify(to_bytes(ds)).data
