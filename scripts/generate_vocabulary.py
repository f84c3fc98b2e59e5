"""Write the words by which the anonymizer tells medicine from names.

Two files are made:

``anonymizer/_standard/vocabulary.json``
    `terms`: words of code meanings, attribute names, keywords and UID names of the standard that nobody needs
    to be called. `proper`: those of them that are written with a capital letter only and are also
    people's names (eponyms, mostly). `family_names`: words that are frequent family names, too.
``anonymizer/data/given_names.txt``
    Given names of 30 regions from the providers of Faker (MIT licence), without those that are terms.

Sources are installed packages, never the network: pydicom and highdicom, and Faker, which is no
dependency of ours::

    pip install --target /tmp/faker faker
    PYTHONPATH=/tmp/faker python scripts/generate_vocabulary.py
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import re
from collections import Counter
from pathlib import Path

import highdicom
from pydicom._dicom_dict import DicomDictionary
from pydicom._private_dict import private_dictionaries
from pydicom._uid_dict import UID_dictionary
from pydicom.sr._concepts_dict import concepts

from anonymizer.text.vocabulary import CURATED, read_sections
from anonymizer.text.words import fold

PACKAGE = Path(__file__).resolve().parent.parent / "anonymizer"
#: Family names that Faker lacks, among our words.
SURNAMES = set(
    """
    head hand foot young old long short small little brown black white gray grey green hall hill wood woods
    king ward stone rose park fox bond bush west north day may price strong sharp good best bright reed rice
    cook baker lang klein gross kurz koch wolf fuchs vogel braun schwarz weiss roth jung alt neu stark kopf
    hals fuss herz haupt zahn nagel petit grand leblanc blanc noir legrand blanco moreno rojo cano calvo
    delgado lopez cruz
    groot klein jong wit zwart bot kok maas bone body skinner case page frame field marks church cross
    """.split()  # noqa: SIM905
)
#: Words of the lists of family names that stand behind titles for other reasons.
ARTICLES = set(
    """
    the and das der die per van von del ten ter dos und uit sur sans este early more mas master doctor doppler
    head hand foot kopf hals fuss herz zahn hand bone body back lung knie arm
    dixon schenkel basic low lower kidney lunge leber galle domingo freitag days weeks doc hosp
    corr topic tone
    """.split()  # noqa: SIM905
)
REGIONS = """
    en_US en_GB en_IE en_NZ en_IN de_DE de_AT de_CH fr_FR fr_CH fr_BE es_ES es_MX es_AR es_CO nl_NL nl_BE
    it_IT pt_PT pt_BR pl_PL tr_TR sv_SE da_DK no_NO fi_FI cs_CZ hu_HU hr_HR ro_RO
""".split()  # noqa: SIM905  # a list of quoted words is harder to read
#: In use as a name more than as a word: looked for alone.
NAMES_FIRST = {
    "bauer",
    "chan",
    "wright",
    "walker",
    "sandy",
    "leen",
    "celestine",
    "carmine",
    "concha",
    "lang",
    "haas",
}
WORD = re.compile(r"[^\W\d_]+")
#: Parts of a keyword written in one.
PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z]+|[a-z]+")


def names(kind: str) -> set[str]:
    """Folded names of one kind (`first_name`, `last_name`) from Faker's providers."""
    found: set[str] = set()
    for region in REGIONS:
        try:
            provider = importlib.import_module(f"faker.providers.person.{region}").Provider
        except ImportError:
            continue
        for attribute in dir(provider):
            listed = getattr(provider, attribute)
            if attribute.startswith(kind) and not callable(listed):
                for name in listed:
                    if isinstance(name, str):
                        found |= {fold(part) for part in WORD.findall(name) if len(part) > 2}
    return found


def count_words() -> tuple[Counter[str], Counter[str]]:
    """How often each word of the standard occurs, and how often in lower case."""
    total: Counter[str] = Counter()
    lower: Counter[str] = Counter()
    meanings = [
        meaning for scheme in concepts.values() for codes in scheme.values() for meaning, _ in codes.values()
    ]
    regions = json.loads(
        (Path(highdicom.__file__).parent / "_standard" / "anatomic_regions.json").read_text()
    )
    meanings += [entry[2] for entry in regions.values()]
    meanings += [entry[2] for entry in DicomDictionary.values()] + [
        entry[0] for entry in UID_dictionary.values()
    ]
    meanings += [entry[2] for block in private_dictionaries.values() for entry in block.values()]
    for meaning in meanings:
        for word in WORD.findall(meaning):
            total[fold(word)] += 1
            lower[fold(word)] += word.islower()
    for entry in DicomDictionary.values():
        total.update(fold(part) for part in PART.findall(entry[4]))
    return total, lower


def main() -> None:
    """Write both files."""
    given, family = names("first_name"), names("last_name")
    curated = read_sections(CURATED)
    common = {
        fold(w)
        for title, text in curated.items()
        if title not in {"eponyms", "products"}
        for w in text.split()
    }
    total, lower = count_words()
    terms = sorted(
        w
        for w in total
        if len(w) > 1 and w not in NAMES_FIRST and (lower[w] or w in common or w not in given | family)
    )
    proper = sorted(w for w in total if len(w) > 1 and w not in set(terms))
    versions = [f"{name} {importlib.metadata.version(name)}" for name in ("pydicom", "highdicom", "faker")]
    known = common | set(terms) | set(proper)
    known |= {f"{word}s" for word in known if len(word) > 3}
    both = sorted((family | SURNAMES) & known - ARTICLES)
    content = {
        "source": ", ".join(versions),
        "terms": " ".join(terms),
        "proper": " ".join(proper),
        "family_names": " ".join(both),
        "given_too": " ".join(sorted(given & known - ARTICLES)),
    }
    (PACKAGE / "_standard" / "vocabulary.json").write_text(
        json.dumps(content, ensure_ascii=False, indent=1) + "\n"
    )
    kept = sorted(w for w in given - common - set(terms) if w.isascii())
    header = f"# Given names, folded. From Faker {importlib.metadata.version('faker')} (MIT licence)."
    lines = [" ".join(kept[i : i + 20]) for i in range(0, len(kept), 20)]
    (PACKAGE / "data" / "given_names.txt").write_text("\n".join([header, *lines]) + "\n")
    print(f"{len(terms)} terms, {len(proper)} proper names, {len(kept)} given names")


if __name__ == "__main__":
    main()
