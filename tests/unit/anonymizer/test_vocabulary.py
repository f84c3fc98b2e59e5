from __future__ import annotations

import pytest

from anonymizer.text.names import name_strings
from anonymizer.text.vocabulary import load_vocabulary, standard_meanings
from anonymizer.text.words import fold, spellings, words

VOCABULARY = load_vocabulary()


@pytest.mark.parametrize(
    "word", ["head", "mprage", "thorax", "wirbelsäule", "crâne", "rodilla", "hoofd", "siemens"]
)
def test_words_of_radiology_are_common_in_all_languages(word):
    assert VOCABULARY.is_common(fold(word))


@pytest.mark.parametrize("word", ["Baker", "Willis", "Omnipaque", "Skyra", "Parkinson"])
def test_eponyms_and_products_are_known_but_not_common(word):
    assert VOCABULARY.knows(fold(word))
    assert not VOCABULARY.is_common(fold(word))


@pytest.mark.parametrize(
    "word",
    ["Halswirbelsäulenaufnahme", "Nebennierenrinde", "Schädelbasis", "Cholezystektomie", "Angiographies"],
)
def test_compounds_and_words_built_as_terms_are_known(word):
    assert VOCABULARY.knows(fold(word))


@pytest.mark.parametrize("word", ["Kanarienvogel", "Zwitscher", "Maria", "Hans", "Gonzalez", "Nguyen"])
def test_names_are_not_known(word):
    assert not VOCABULARY.knows(fold(word))


def test_standard_meanings_are_phrases():
    assert fold("Circle of Willis") in standard_meanings()
    assert not any(" " not in meaning for meaning in standard_meanings())


@pytest.mark.parametrize(
    ("one", "other"),
    [("Müller", "Mueller"), ("Mueller", "Müller"), ("Łukasz", "lukasz"), ("Øyvind", "Oeyvind"),
     ("Straße", "STRASSE"), ("İnönü", "inonu")],
)  # fmt: skip
def test_spellings_of_a_name_meet(one, other):
    assert spellings(one) & spellings(other)


def test_words_are_runs_of_letters_or_digits_with_their_place():
    assert [(w.start, w.end, w.folded) for w in words("Mü-t2_x")] == [
        (0, 2, "mu"),
        (3, 4, "t"),
        (4, 5, "2"),
        (6, 7, "x"),
    ]


@pytest.mark.parametrize(
    ("name", "wanted", "unwanted"),
    [
        ("Zwitscher^Xaver", {"zwitscher", "xaver", "zwitscherxaver", "xzwitscher"}, {"zwitscher xaver"}),
        ("Head^Xaver", {"xaver", "head xaver", "xaver head", "x. head"}, {"head"}),
        ("van de Water^Maja", {"maja", "van de water", "maja van de water", "maja water"}, {"van", "water"}),
        ("Li^Wu", {"li wu", "wu li"}, {"li", "wu"}),
        ("O'Brien^Pat", {"o'brien", "brien"}, {"o"}),
        ("12345^1", {"12345"}, {"1", "123451"}),
    ],
)
def test_which_strings_of_a_name_are_looked_for(name, wanted, unwanted):
    strings = set(name_strings(name, lambda word: VOCABULARY.is_common(fold(word))))
    assert wanted <= strings
    assert strings.isdisjoint(unwanted)
