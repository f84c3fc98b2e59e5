from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydicom.sr._concepts_dict import concepts

from anonymizer.codec import Element
from anonymizer.text.cleaning import TextCleaner
from anonymizer.text.evidence import Evidence
from anonymizer.text.vocabulary import load_vocabulary
from anonymizer.text.words import fold, words
from anonymizer.text.written_dates import find_dates, respell

VOCABULARY = load_vocabulary()
MEANINGS = sorted(
    {meaning for scheme in concepts.values() for codes in scheme.values() for meaning, _ in codes.values()}
)
#: A tracer with its maker's number; breeds and an eponym that are called like people.
LIKE_NUMBERS = {"AGN-150998 ^89^Zr", "AGN-150998 ^89^ZR"}
LIKE_NAMES = {
    "Cavalier King Charles spaniel",
    "English Hunter horse breed",
    "German Angus cattle breed",
    "German Rex cat breed",
    "Jack Russell terrier dog breed (organism)",
    "Kai Ken dog breed",
    "Kemp Harper",
    "Munster Lander Pointer dog breed",
    "Rio Limon Dairy Criollo cattle breed",
}

#: Titles of persons go with the name behind them, and so does what reads like initials.
BESIDE_NAMES = {"Circulating Nurse", "Nurse", "P.R.U.", "procion brilliant blue MRS stain"}

LETTERS = "abcdefghijklmnopqrstuvwxyzäöüßéèçñøłšžğ"
parts = st.text(LETTERS, min_size=3, max_size=10).filter(
    lambda name: not VOCABULARY.is_common(fold(name)) and not VOCABULARY.is_common(fold(name.upper()))
)
cases = st.sampled_from([str.title, str.upper, str.lower, str.capitalize])
separators = st.sampled_from([" ", ", ", "^", "_", "-", ".", " / ", "; ", "\n", "(", " [", ") "])
techniques = st.sampled_from(
    [
        "T1 MPRAGE",
        "CT Thorax",
        "t2_tse_tra_320_p2",
        "5.0 mm",
        "links",
        "L4/L5",
        "120 kV",
        "Kopf nativ",
        "B30f",
    ]
)
written_dates = st.dates(date(1900, 1, 1), date(2099, 12, 31)).flatmap(
    lambda day: st.sampled_from(
        ["%Y%m%d", "%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%d-%b-%Y", "%B %d, %Y", "%d. %B %Y"]
    ).map(day.strftime)
)
identities = st.sampled_from(
    ["Dr. Zwitscher", "Patient:", "a@b.de", "Tel. 030 1234567", "95 y/o", "MRN 4711008", "Hauptstr. 5"]
)
pieces = st.one_of(techniques, parts.map(str.title), written_dates, st.text(max_size=8), identities)
texts = st.lists(st.tuples(pieces, separators), max_size=6).map(
    lambda found: "".join(piece + separator for piece, separator in found)
)


def evidence_of(family: str, given: str, patient_id: str) -> Evidence:
    evidence = Evidence()
    evidence.collect(
        {
            0x00080005: Element("CS", b"ISO_IR 192"),
            0x00100010: Element("PN", f"{family}^{given}".encode()),
            0x00100020: Element("LO", patient_id.encode()),
            0x00100030: Element("DA", b"19310405"),
        }
    )
    return evidence


KNOWN = evidence_of("Kanarienvogel", "Zwitscherine", "PID00815")


@settings(max_examples=400, deadline=None)
@given(texts, st.booleans())
@example("", True)
@example("Dr. Zwitscher Dr. Zwitscher, (Kanarienvogel)", True)
def test_cleaning_twice_changes_nothing_more(text, aggressive):
    cleaner = TextCleaner(KNOWN, aggressive=aggressive)
    once = cleaner.clean(text)
    assert cleaner.clean(once) == once
    assert not cleaner.findings(once)
    assert not cleaner.residual(once)


@settings(max_examples=300, deadline=None)
@given(parts, parts, cases, cases, separators, separators, separators, techniques, techniques, st.booleans())
def test_no_part_of_a_known_name_is_left(
    family, given_name, case, other_case, before, between, after, head, tail, given_first
):
    first, second = (given_name, family) if given_first else (family, given_name)
    text = f"{head}{before}{case(first)}{between}{other_case(second)}{after}{tail}"
    cleaned = TextCleaner(evidence_of(family, given_name, "1234567")).clean(text)
    left = {word.folded for word in words(cleaned)}
    wanted = {word.folded for word in words(f"{head} {tail}")}
    for name in (family, given_name):
        assert fold(name) not in left - wanted


@settings(max_examples=200, deadline=None)
@given(
    st.from_regex(r"[A-Z]{0,3}[0-9]{5,10}", fullmatch=True), separators, separators, techniques, techniques
)
def test_no_known_number_is_left(patient_id, before, after, head, tail):
    text = f"{head}{before}{patient_id.lower()}{after}{tail}"
    cleaned = TextCleaner(evidence_of("Kanarienvogel", "Zwitscherine", patient_id)).clean(text)
    assert fold(patient_id) not in fold(cleaned)
    for word in words(tail):
        assert word.folded.isdecimal() or word.folded in fold(cleaned)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(set(MEANINGS) - LIKE_NUMBERS - BESIDE_NAMES)), parts, cases, separators)
def test_only_the_name_leaves_a_medical_phrase(meaning, name, case, separator):
    evidence = evidence_of(name, "Zwitscherine", "1234567")
    if not {word.folded for word in words(meaning)}.isdisjoint(word.folded for word in words(name)):
        return
    cleaned = TextCleaner(evidence).clean(f"{meaning}{separator}{case(name)}")
    assert [word.folded for word in words(cleaned)] == [word.folded for word in words(meaning)]


@pytest.mark.parametrize("aggressive", [False, True])
def test_all_meanings_of_the_standard_come_back_unchanged(aggressive):
    cleaner = TextCleaner(KNOWN, aggressive=aggressive)
    # The addition keeps the cleaner from knowing the phrase as a whole.
    changed = [text for text in MEANINGS if cleaner.clean(f"{text}, 2") != f"{text}, 2"]
    assert set(changed) <= LIKE_NUMBERS | (LIKE_NAMES if aggressive else set())
    assert not [text for text in MEANINGS if " " in text and cleaner.clean(text) != text]


@settings(max_examples=300, deadline=None)
@given(written_dates, st.integers(-20_000, 20_000), techniques, separators)
def test_a_written_date_is_read_and_written_back(text, days, around, separator):
    for stretch in (text, f"{around} {text}{separator}{around}"):
        found = [written for written in find_dates(stretch) if written.value is not None]
        assert len(found) == 1
        written = found[0]
        assert written.value is not None
        assert respell(stretch, written, written.value) == stretch[written.start : written.end]
        try:
            moved = written.value + timedelta(days=days)
        except OverflowError:
            return
        if not 1900 <= moved.year < 2100:
            return
        again = find_dates(respell(stretch, written, moved))
        assert moved in {again[0].value, again[0].other}
