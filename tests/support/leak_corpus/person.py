"""Invented patients and their surroundings, drawn from pools by a seed.

Seeds below `HELD_OUT` draw from one half of each pool, the others from the other half: whoever tunes a
cleaner on the first has not seen the names, streets, places and spellings of the second.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

HELD_OUT = 1000
T = TypeVar("T")

FAMILIES = (
    "Winterhalter", "Okonkwo", "Szczepanik", "Delacroix", "Thistlewood", "Haraldsen", "Quintanilla",
    "Abernathy", "Rosenkrantz", "Mulvaney", "Castellano", "Featherstone", "Nakashima", "Villanueva",
    "Bjornstad", "Hollingsworth", "Pappadakis", "Zimmerli", "Tregenza", "Oyelaran", "Vandermeer",
    "Lindqvist", "Kowalewski", "Drummond", "Fitzwilliam", "Grabowski", "Escobedo", "Achterberg",
)  # fmt: skip
GIVENS = (
    "Philippa", "Thaddeus", "Marguerite", "Cornelius", "Rosalind", "Leopold", "Henrietta", "Ignatius",
    "Beatrix", "Montgomery", "Clementine", "Reginald", "Ottilie", "Bartholomew", "Guinevere", "Evander",
    "Wilhelmina", "Horatio", "Araminta", "Octavian", "Seraphina", "Lysander", "Theodora", "Alasdair",
)  # fmt: skip
TOWNS = (
    "Kleinbuchen", "Eastmarsh", "Valdorra", "Grimsholm", "Port Lanning", "Oberwiesach", "Saltfleet",
    "Montarvel", "Ravensmoor", "Lindhaven", "Quarrybridge", "Santa Orlina",
)  # fmt: skip
STREETS = (
    "Maple Street", "Harbour Road", "Linden Avenue", "Bahnhofstrasse", "Chestnut Drive", "Mill Lane",
    "Orchard Boulevard", "Kirchweg", "Station Court", "Elm Terrace", "Rue Pasteur", "King Square",
)  # fmt: skip
HOSPITALS = (
    "St. Canarius Infirmary", "{town} General Hospital", "Klinikum {town}", "{town} Medical Center",
    "{family} Memorial Hospital", "Mercy Clinic {town}", "University Hospital {town}",
    "Saint {given} Radiology Associates",
)  # fmt: skip
#: Medical descriptions: every word has to stay where descriptors are cleaned.
PHRASES = (
    "MPRAGE T1 sag post contrast", "AX T2 FLAIR fs", "CT Thorax 1.25 mm B70f", "KNEE PD COR LEFT",
    "Abdomen portal venous phase", "DWI b1000 ADC", "3D TOF angiography", "Lumbar spine STIR sagittal",
    "Chest PA and lateral", "Head without contrast", "Dynamic liver arterial phase", "SWI phase axial",
    "Pelvis T2 TSE oblique", "Localizer 3 plane", "Cardiac cine short axis", "Coronary calcium score",
    "Shoulder MR arthrogram right", "Temporal bone 0.6 mm", "Whole body STIR coronal", "Perfusion EPI",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Person:
    """An invented patient in an invented hospital."""

    family: str
    given: str
    middle: str
    mrn: str
    issuer: str
    other_id: str
    accession: str
    study_id: str
    born: date
    examined: date
    town: str
    street: str
    house: str
    postcode: str
    hospital: str
    phone: str
    mail: str
    url: str
    ssn: str
    station: str
    serial: str
    physician: tuple[str, str]
    reader: tuple[str, str]
    operator: tuple[str, str]
    root: str

    @property
    def pn(self) -> str:
        """Person Name in the form of the standard."""
        return f"{self.family}^{self.given}^{self.middle}"

    @property
    def number(self) -> str:
        """A number of seven digits that stands nowhere else."""
        return self.other_id[3:]

    @property
    def address(self) -> str:
        """Street, number, place."""
        return f"{self.house} {self.street}, {self.town} {self.postcode}"


def pool(values: Sequence[T], seed: int) -> Sequence[T]:
    """The half of a pool that a seed may draw from."""
    return values[1::2] if seed >= HELD_OUT else values[::2]


def invent(rng: random.Random, seed: int) -> Person:
    """A person; the same generator state and seed give the same one."""
    families = rng.sample(pool(FAMILIES, seed), 5)
    givens = rng.sample(pool(GIVENS, seed), 6)
    town = rng.choice(pool(TOWNS, seed))

    def digits(count: int) -> str:
        return str(rng.randint(1, 9)) + "".join(rng.choices("0123456789", k=count - 1))

    hospital = rng.choice(pool(HOSPITALS, seed)).format(town=town, family=families[4], given=givens[5])
    # As the North American plan numbers areas and exchanges: neither begins with 0 or 1.
    area, exchange = (f"{rng.randint(2, 9)}{digits(2)}" for _ in range(2))
    line = digits(4)
    phones = (
        f"+49 {area} {exchange}{line}", f"({area}) {exchange}-{line}", f"{area}-{exchange}-{line}",
        f"+1 {area} {exchange} {line}", f"+44 20 {area}7 {line}", f"{area}.{exchange}.{line}",
    )  # fmt: skip
    handle = f"{givens[0]}.{families[0]}".lower()
    host = f"{town.replace(' ', '').lower()}-clinic.org"
    examined = date(2011, 1, 1) + timedelta(days=rng.randrange(4700))
    return Person(
        family=families[0],
        given=givens[0],
        middle=givens[1],
        mrn=rng.choice(pool(("PID", "H", "", "MR-", "K"), seed)) + digits(8),
        issuer=f"{town.replace(' ', '').upper()}HIS",
        other_id=f"ALT{digits(7)}",
        accession=f"ACC{digits(8)}",
        study_id=f"S{digits(7)}",
        born=examined - timedelta(days=rng.randrange(365 * 25, 365 * 80)),
        examined=examined,
        town=town,
        street=rng.choice(pool(STREETS, seed)),
        house=digits(3),
        postcode=digits(5),
        hospital=hospital,
        phone=rng.choice(pool(phones, seed)),
        mail=f"{handle}@{host}",
        url=f"https://{host}/worklist/{digits(6)}",
        ssn=f"{rng.randint(100, 665)}-{rng.randint(10, 99)}-{digits(4)}",
        station=f"{town[:4].upper()}CT{digits(3)}",
        serial=f"SN{digits(7)}",
        physician=(families[1], givens[2]),
        reader=(families[2], givens[3]),
        operator=(families[3], givens[4]),
        root=f"1.2.826.0.1.3680043.10.999.{examined:%Y%m%d}.{digits(12)}",
    )


#: How people write a date.
DATE_FORMS = (
    "%Y%m%d", "%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%Y/%m/%d", "%d-%b-%Y", "%B %d, %Y",
    "%d %B %Y", "%b %d %Y", "%d%b%Y", "%Y.%m.%d", "%d-%m-%Y", "%d. %B %Y", "%m-%d-%Y", "%d %b %Y",
)  # fmt: skip
