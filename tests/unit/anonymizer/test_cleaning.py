from __future__ import annotations

import pickle
from datetime import date, timedelta

import pytest

from anonymizer.codec import Element
from anonymizer.text.cleaning import TextCleaner
from anonymizer.text.evidence import Evidence


def header(**values: str) -> dict[int, Element]:
    tags = {
        "name": (0x00100010, "PN"),
        "patient_id": (0x00100020, "LO"),
        "born": (0x00100030, "DA"),
        "institution": (0x00080080, "LO"),
        "physician": (0x00080090, "PN"),
        "study_date": (0x00080020, "DA"),
        "station": (0x00081010, "SH"),
        "address": (0x00101040, "LO"),
        "phone": (0x00102154, "SH"),
        "performed_station": (0x00400242, "SH"),
        "comments": (0x00104000, "LT"),
    }
    dataset = {0x00080005: Element("CS", b"ISO_IR 192")}
    for key, value in values.items():
        tag, vr = tags[key]
        dataset[tag] = Element(vr, value.encode())
    return dataset


def evidence(**values: str) -> Evidence:
    found = Evidence()
    found.collect(header(**values))
    return found


MUELLER = evidence(
    name="Müller-Lüdenscheidt^Hans Peter^^Dr.",
    patient_id="PID0004711008",
    born="19310405",
    institution="Universitätsklinikum Heidelberg",
    physician="Head^John",
    study_date="20240229",
    station="MRC25112",
    phone="030 / 123-456",
)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Patient: Müller-Lüdenscheidt, Hans T1 sag", "T1 sag"),
        ("MUELLER LUEDENSCHEIDT HANS", ""),
        ("Knie Muller links", "Knie links"),
        ("Müllers Knie", "Knie"),
        ("mueller_kopf_t2", "kopf_t2"),
        ("Knie links (Müller) nativ", "Knie links nativ"),
        ("KneeMueller", "Knee"),
        ("Mu\u0308ller Knie", "Knie"),
        ("Mül\u00adler Knie", "Knie"),
        ("hmuellerluedenscheidt", "hmuellerluedenscheidt"),
        ("ID 4711008 Kontrolle", "ID Kontrolle"),
        ("pid-4711008", ""),
        ("PID0004711008", ""),
        ("Head, John", ""),
        ("Knee, J. Head", "Knee"),
        ("Dr. Head", ""),
        ("head first supine", "head first supine"),
        ("head of table", "head of table"),
        ("born 5.4.31", ""),
        ("05041931", ""),
        ("Tel 030 123456", ""),
        ("Rückruf 030/123456 Knie", "Knie"),
        ("MRC25112, sag", "sag"),
        ("Universitätsklinikum Heidelberg: MR Kopf", "MR Kopf"),
        ("Called Dr. Zwitscher at 555-123-4567 regarding pneumothorax.",
         "Called at regarding pneumothorax."),
        ("92 y/o female with fall", "female with fall"),
        ("T1 sag\nMüller\nT2 cor", "T1 sag\n\nT2 cor"),
        ("L4/L5 (Müller), C5-C6", "L4/L5, C5-C6"),
        ("ADC Müller -5 HU", "ADC -5 HU"),
        ("Kopf. Müller. Nativ.", "Kopf. Nativ."),
    ],
)  # fmt: skip
def test_what_is_known_goes_and_medicine_stays(text, cleaned):
    assert TextCleaner(MUELLER).clean(text) == cleaned


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("scanned in Heidelberg", "scanned in"),
        ("Pt Maria Gonzalez c/o headache", "Pt c/o headache"),
        ("MR BRAIN FOR ROBERT SMITH 78 Y/O", "MR BRAIN FOR 78 Y/O"),
        ("MR Congenital Heart Study With Frandics Chan", "MR Congenital Heart Study With"),
        ("Liam van der Laar chest pain", "chest pain"),
        ("Gespräch mit Frau Kanarienvogel und Zwitscherine", "Gespräch mit und"),
        ("lives at 79556 Robinson Ferry Apt. 705, Richardfort, MP 60156", "lives at"),
        ("Thomas sign positive", "Thomas sign positive"),
        ("CT Abdomen w/ Omnipaque", "CT Abdomen w/ Omnipaque"),
        ("Halswirbelsäulenaufnahme seitlich", "Halswirbelsäulenaufnahme seitlich"),
        ("Ingenia Elition X, dStream Torso coil", "Ingenia Elition X, dStream Torso coil"),
    ],
)
def test_free_text_loses_strangers_names_too(text, cleaned):
    assert TextCleaner(MUELLER, aggressive=True).clean(text) == cleaned


def test_an_untouched_text_is_the_same_object():
    text = "".join(["T1 ", "sag"])
    assert TextCleaner(MUELLER, aggressive=True).clean(text) is text


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("vom 12.03.2021", "vom 21.04.2021"),
        ("20210312", "20210421"),
        ("2021-03-12 10:11:12", "2021-04-21 10:11:12"),
        ("5. März 2021", "14. April 2021"),
        ("12-MAR-2021", "21-APR-2021"),
        ("March 12th, 2021", "April 21th, 2021"),
        ("13/03/21", "22/04/21"),
        ("02/29/2024", "04/09/2024"),
        ("04/03/2021", ""),
        ("5.4.1931", ""),
        ("March 2021", ""),
        ("Müller 12.03.2021 Knie", "21.04.2021 Knie"),
    ],
)
def test_dates_move_in_their_spelling(text, cleaned):
    cleaner = TextCleaner(MUELLER, date_shift=lambda day: day + timedelta(days=40))
    assert cleaner.clean(text) == cleaned


def test_a_doubtful_date_is_read_as_the_study_says():
    cleaner = TextCleaner(evidence(study_date="20210304"), date_shift=lambda day: day + timedelta(days=1))
    assert cleaner.clean("04/03/2021") == "05/03/2021"
    assert cleaner.clean("03/04/2021") == "03/05/2021"


def test_dates_stay_where_they_are_retained_but_for_birth_dates():
    cleaner = TextCleaner(MUELLER, date_shift=lambda day: day)
    assert cleaner.clean("29.02.2024, March 2023, 20240229") == "29.02.2024, March 2023, 20240229"
    assert cleaner.clean("born 05.04.1931") == ""
    assert not cleaner.residual("29.02.2024")
    assert cleaner.residual("05.04.1931")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Knie Müller", "identifier"),
        ("4711008", "identifier"),
        ("a@b.de", "e-mail"),
        ("Tel. 0171 1234567", "phone"),
        ("aged 95", "age"),
        ("12.03.2021", "date"),
        ("943 476 5919", "number"),
    ],
)
def test_what_is_certain_is_reported_for_outputs(text, kind):
    assert [f.kind for f in TextCleaner(MUELLER).residual(text)] == [kind]


@pytest.mark.parametrize("text", ["Dr. Zwitscher", "1234567", "Hauptstr. 5", "Heidelberg", "5.4."])
def test_what_only_looks_like_identity_stops_no_output(text):
    assert TextCleaner(MUELLER).residual(text) == []


def test_shifted_dates_stop_no_output():
    cleaner = TextCleaner(MUELLER, date_shift=lambda day: day + timedelta(days=1))
    assert cleaner.residual("12.03.2021") == []


def test_a_standard_meaning_is_no_name():
    cleaner = TextCleaner(evidence(name="Willis^Bruce"), aggressive=True)
    assert cleaner.clean("Circle of Willis") == "Circle of Willis"
    assert cleaner.clean("Willis, circle") == "circle"


def test_names_and_numbers_behind_labels_are_looked_for_in_other_texts():
    found = evidence(comments="Patient: Zwitscher, Xaver, MRN 8844221\nUeberweiser: Dr. Kanarius")
    cleaner = TextCleaner(found, aggressive=True)
    assert cleaner.clean("zwitscher knie 8844221 kanarius") == "knie"


def test_names_in_private_attributes_are_hints():
    found = Evidence()
    found.collect({0x00291010: Element("LO", b"ZWITSCHER^XAVER"), 0x00291011: Element("LO", b"HEAD^GENERAL")})
    assert not found.strings
    assert TextCleaner(found, aggressive=True).clean("knie zwitscher head general") == "knie head general"


def test_nested_items_and_content_items_are_harvested():
    found = Evidence()
    item = {0x0040A040: Element("CS", b"PNAME"), 0x0040A123: Element("PN", b"Zwitscher^Xaver")}
    found.collect({0x0040A730: Element("SQ", [{0x0040A730: Element("SQ", [item])}])})
    assert {"zwitscher", "xaver"} <= found.strings.keys()


def test_every_component_group_is_harvested():
    found = evidence(name="Yamada^Tarou=山田^太郎=やまだ^たろう")
    cleaner = TextCleaner(found)
    assert cleaner.clean("脳 山田太郎様") == "脳 様"
    assert cleaner.clean("やまだ Kopf") == "Kopf"


def test_retained_attributes_are_not_looked_for():
    found = Evidence(retained=frozenset({0x00080080}))
    found.collect(header(institution="Universitätsklinikum Heidelberg", patient_id="ABC12345"))
    cleaner = TextCleaner(found, aggressive=True)
    assert cleaner.clean("Universitätsklinikum Heidelberg, ABC12345") == "Universitätsklinikum Heidelberg"


def test_evidence_merges_and_can_be_pickled():
    other = evidence(name="Zwitscher^Xaver", study_date="20230101")
    whole = pickle.loads(pickle.dumps(Evidence.merged([MUELLER, other])))
    assert whole == Evidence.merged([MUELLER, other])
    assert {"zwitscher", "hans"} <= whole.strings.keys()
    assert date(2023, 1, 1) in whole.days
    assert "19310405" in whole.dates
    assert TextCleaner(whole).clean("Zwitscher / Müller Knie") == "Knie"


def test_the_same_input_gives_the_same_evidence_in_any_number_of_visits():
    once, twice = evidence(name="Zwitscher^Xaver"), evidence(name="Zwitscher^Xaver")
    twice.collect(header(name="Zwitscher^Xaver"))
    assert list(once.strings) == list(twice.strings)


def test_a_name_that_is_a_word_goes_where_it_is_meant_as_a_name():
    found = evidence(name="Brown^Rose")
    free, scan = TextCleaner(found, aggressive=True), TextCleaner(found)
    assert free.clean("Brown^Abdomen AP") == "Abdomen AP"
    assert free.clean("CT Thorax (Brown)") == "CT Thorax"
    assert scan.clean("dr. brown, T1 sag") == "T1 sag"
    for text in ("Brown tumor", "brown fat", "brown"):
        assert free.clean(text) == text
    assert scan.clean("Brown^Abdomen AP") == "Brown^Abdomen AP"


@pytest.mark.parametrize("name", ["Head^Young", "Long^White", "Young^Brain"])
def test_words_of_the_standard_are_looked_for_as_a_whole_name_only(name):
    family, given = name.split("^")
    cleaner = TextCleaner(evidence(name=name))
    assert cleaner.clean(f"{family} {given.lower()} axis".replace(" ", "; ")) != f"{family}; axis"
    assert cleaner.clean(f"{given} {family}, axial") == "axial"
    assert cleaner.clean(f"{family.lower()} axial") == f"{family.lower()} axial"
