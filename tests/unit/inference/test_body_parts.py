"""Body parts as sites write them in seven languages, and as the standard codes them."""

import pytest
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from written_headers import attributes

from inference.routing.body_part import BodyPartTable

TABLE = BodyPartTable()


@pytest.mark.parametrize(
    ("written", "term"),
    [
        ("MRT Schädel", "BRAIN"), ("IRM cérébrale", "BRAIN"), ("IRM encéphale", "BRAIN"), ("RM cerebro",
        "BRAIN"),
        ("RM encefalo", "BRAIN"), ("RM crânio", "BRAIN"), ("MRI hersenen", "BRAIN"), ("cMRT Kopf", "HEAD"),
        ("TC cabeza", "HEAD"), ("TC cabeça", "HEAD"), ("CT hoofd", "HEAD"), ("TC torace", "CHEST"),
        ("TDM thoracique", "CHEST"), ("RX tórax", "CHEST"), ("CT Lunge", "LUNG"), ("scanner poumons", "LUNG"),
        ("TC addome", "ABDOMEN"), ("CT buik", "ABDOMEN"), ("Oberbauch nativ", "ABDOMEN"), ("TC pelvi",
        "PELVIS"),
        ("CT Thorax/Abdomen", "CHESTABDOMEN"), ("CT Thorax Abdomen Becken", "CHESTABDPELVIS"),
        ("TDM TAP", "CHESTABDPELVIS"), ("Abdomen-Becken", "ABDOMENPELVIS"), ("Kopf-Hals", "HEADNECK"),
        ("ThoraxRoutine", "CHEST"), ("1_HeadSpi (Adult)", "HEAD"), ("LWS sag", "LSPINE"),
        ("rachis lombaire", "LSPINE"),
        ("columna cervical", "CSPINE"), ("femoral head left", "HIP"), ("rodilla", "KNEE"), ("Handgelenk",
        "WRIST"),
        ("heup links", "HIP"), ("low dose", None), ("t1_mprage_sag", None), ("Müller", None),
    ],
)  # fmt: skip
def test_body_parts_are_found_in_seven_languages(written, term):
    for place in ("study", "description", "protocol", "requested"):
        found = TABLE.find(attributes(**{place: written}))
        assert (found.term if found else None) == term


def test_a_body_part_with_an_older_code_is_found_as_the_current_one():
    item = {"00080100": {"vr": "SH", "Value": ["T-D3000"]}, "00080102": {"vr": "SH", "Value": ["SRT"]}}
    found = TABLE.find({"00082218": {"vr": "SQ", "Value": [item]}})
    assert (found.term, found.sct) == ("CHEST", "816094009")
    unknown = {"00080100": {"vr": "SH", "Value": ["99X"]}, "00080104": {"vr": "LO", "Value": ["Left knee"]}}
    shared = {"00209071": {"vr": "SQ", "Value": [{"00082218": {"vr": "SQ", "Value": [unknown]}}]}}
    assert TABLE.find({"52009229": {"vr": "SQ", "Value": [shared]}}).term == "KNEE"


#: The table's terms and pydicom's names of the same concepts, where they are not the same words.
_NAMES = {
    "WHOLEBODY": "EntireBody", "HEADNECK": "HeadAndNeck", "CSPINE": "CervicalSpine",
    "TSPINE": "ThoracicSpine",
    "LSPINE": "LumbarSpine", "SSPINE": "Sacrum", "CHESTABDPELVIS": "ChestAbdomenAndPelvis",
    "ABDOMENPELVIS": "AbdomenAndPelvis", "CHESTABDOMEN": "ChestAndAbdomen", "NECKCHEST": "NeckAndChest",
    "NECKCHESTABDPELV": "NeckChestAbdomenAndPelvis", "ORBIT": "OrbitalStructure",
    "IAC": "InternalAuditoryCanal",
    "PARANASALSINUS": "ParanasalSinus", "SELLA": "SellaTurcica", "TMJ": "TemporomandibularJoint",
    "ELBOW": "ElbowJoint", "WRIST": "WristJoint", "ANKLE": "AnkleJoint", "HIP": "HipJoint", "ARM": "UpperArm",
    "LOWERLEG": "LowerLeg", "UPPERLIMB": "UpperLimb", "LOWERLIMB": "LowerLimb", "SIJOINT": "SacroiliacJoint",
}  # fmt: skip


@pytest.mark.parametrize(
    "term", [*_NAMES, "HEAD", "BRAIN", "CHEST", "ABDOMEN", "PELVIS", "NECK", "LIVER", "KIDNEY", "BREAST",
    "HEART",
             "KNEE", "FOOT", "HAND", "SHOULDER", "PROSTATE", "SPLEEN", "THYROID", "SKULL", "SPINE", "FEMUR"]
)  # fmt: skip
def test_codes_of_body_parts_are_those_of_the_standards_context_groups(term):
    name = _NAMES.get(term, term.capitalize())
    group = codes.cid4031 if name in dir(codes.cid4031) else codes.cid4030
    part = TABLE.named(term)
    assert getattr(group, name).value == part.sct
    older = [code for code in part.also if code.startswith("T-")]
    current = [Code(code, "SCT", "x") for code in (part.sct, *part.also)]
    assert all(Code(code, "SRT", "x") in current for code in older[:1])


@pytest.mark.parametrize(
    ("found", "wanted", "fits"),
    [("BRAIN", "HEAD", True), ("HEAD", "BRAIN", False), ("CHESTABDPELVIS", "CHEST", True),
     ("LUNG", "CHEST", True), ("CHEST", "CHESTABDOMEN", False), ("HEADNECK", "HEAD", True),
     ("WHOLEBODY", "CHEST", False)],
)  # fmt: skip
def test_a_region_is_shown_by_its_parts_and_by_combined_ones(found, wanted, fits):
    assert TABLE.shows(found, wanted) is fits
