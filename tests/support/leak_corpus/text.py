"""Identity in free text: descriptions and comments, among medical words that have to stay.

References
----------
PS3.15 §E.3.5 (Clean Descriptors Option); MIDI-B on what its participants missed.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from leak_corpus.catalogue import Catalogue
from leak_corpus.person import DATE_FORMS, invent, pool

if TYPE_CHECKING:
    from collections.abc import Callable

    from leak_corpus.draft import Draft

TEXT = Catalogue("text")

#: Attributes that the option of clean descriptors leaves in an image.
ANYWHERE = (
    "StudyDescription", "SeriesDescription", "ProtocolName", "PatientComments", "ImageComments",
    "PerformedProcedureStepDescription", "AdditionalPatientHistory",
    "AdmittingDiagnosesDescription", "DerivationDescription", "ContrastBolusAgent",
)  # fmt: skip
#: Texts long enough for sentences.
LONG = ("PatientComments", "ImageComments", "AdditionalPatientHistory")


def _spelled(name: str, template: str, *secrets: str) -> None:
    """A case for a spelling of a name or number, in an attribute drawn by the seed."""

    def plant(draft: Draft) -> None:
        ds = draft.image(draft.rng.choice(("MR_small.dcm", "CT_small.dcm")))
        where = draft.rng.choice(LONG if len(template) > 30 else ANYWHERE)
        text = template.replace("{words}", "{{words}}").format(p=draft.person)
        draft.describe(ds, where, text, *(part.format(p=draft.person) for part in secrets))

    TEXT.add(name, plant)


_SPELLINGS: dict[str, tuple[str, ...]] = {
    "name-reversed-with-comma": ("{words} {p.family}, {p.given}",),
    "name-in-order": ("{p.given} {p.family} {words}",),
    "name-with-carets": ("{words} {p.family}^{p.given}",),
    "family-name-alone": ("{words} {p.family}",),
    "given-name-alone": ("{p.given}: {words}",),
    "name-with-underscores": ("{words} {p.family}_{p.given}",),
    "name-in-parentheses": ("{words} ({p.family})",),
    "possessive": ("{p.family}'s {words}",),
    "name-with-title": ("{words} Mrs. {p.given} {p.family}",),
    "name-with-hyphen": ("{words} {p.family}-{p.reader[0]}",),
    "name-with-initial": ("{words} {p.given[0]}. {p.family}",),
    "name-without-space": ("{words} {p.given}{p.family}",),
    "label-patient": ("Patient: {p.given} {p.family} {words}",),
    "physician-with-title": ("{words} ref. Dr. {p.physician[0]}",),
    "reader-with-degree": ("{words} read by {p.reader[1]} {p.reader[0]}, M.D.",),
    "operator": ("{words} tech {p.operator[0]}",),
    "hospital": ("{words} at {p.hospital}",),
    "patient-id": ("{words} {p.mrn}",),
    "patient-id-labelled": ("{words} MRN: {p.mrn}",),
    "patient-id-with-hash": ("{words} #{p.mrn}",),
    "accession-number": ("{words} acc {p.accession}",),
    "study-id": ("{words} {p.study_id}",),
    "unknown-mrn-labelled": ("{words} MRN 00{p.number}", "{p.number}"),
    "unknown-mrn-with-colon": ("{words} MRN:{p.number}", "{p.number}"),
    "social-security-number": ("{words} SSN {p.ssn}", "{p.ssn}"),
    "social-security-number-alone": ("{words} {p.ssn}", "{p.ssn}"),
    "phone": ("{words} call {p.phone}", "{p.phone}"),
    "phone-labelled": ("{words} Tel. {p.phone}", "{p.phone}"),
    "e-mail": ("{words} {p.mail}", "{p.mail}"),
    "e-mail-in-brackets": ("{words} <{p.mail}>", "{p.mail}"),
    "url": ("{words} see {p.url}", "{p.url}"),
    "street": ("{words} lives at {p.house} {p.street}, {p.town}", "{p.street}", "{p.town}"),
    "address-of-the-institution": ("{words} from {p.address}",),
    "accession-inside-the-study-id": ("{words} ST{p.accession}",),
    "station-name": ("{words} on scanner of {p.issuer}",),
}  # fmt: skip
for spelling, (form, *marked) in _SPELLINGS.items():
    _spelled(spelling, form, *marked)


@TEXT.case("name-in-capitals")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    draft.describe(ds, "SeriesDescription", f"{{words}} {p.family.upper()} {p.given.upper()}")


@TEXT.case("name-in-small-letters")
def _(draft: Draft) -> None:
    ds, p = draft.image("CT_small.dcm"), draft.person
    draft.describe(ds, "ProtocolName", f"{p.family.lower()} {{words}}")


@TEXT.case("name-across-line-breaks")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    draft.describe(ds, "AdditionalPatientHistory", f"{p.given}\r\n{p.family}\r\n{{words}}")


@TEXT.case("middle-name-alone")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    draft.describe(ds, "ImageComments", f"{{words}} {p.middle}")


@TEXT.case("every-attribute-at-once")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    for keyword in ANYWHERE:
        draft.describe(ds, keyword, f"{{words}} {p.family}")


def _age(name: str, template: str) -> None:
    def plant(draft: Draft) -> None:
        ds = draft.image()
        age = str(draft.rng.randint(91, 104))
        draft.describe(ds, draft.rng.choice(LONG), template.replace("{age}", age))
        draft.gone(ds, ("PatientComments",), age)
        draft.gone(ds, ("ImageComments",), age)
        draft.gone(ds, ("AdditionalPatientHistory",), age)

    TEXT.add(name, plant)


for label, form in {
    "age-year-old": "{age} year old woman {words}",
    "age-hyphens": "{age}-year-old {words}",
    "age-short": "{words} {age} yo F",
    "age-short-joined": "{words} aged {age}",
    "age-slash": "{words} {age}y/o",
    "age-labelled": "{words} Age: {age}",
}.items():
    _age(label, form)


@TEXT.case("age-below-90-stays")
def _(draft: Draft) -> None:
    ds = draft.image()
    draft.describe(ds, "AdditionalPatientHistory", "47 year old woman {words}")
    draft.keep(ds, ("AdditionalPatientHistory",), "year old", "woman", needs="clean-descriptors")


def _date_case(number: int, form: str) -> None:
    def plant(draft: Draft) -> None:
        ds, p = draft.image(draft.rng.choice(("MR_small.dcm", "CT_small.dcm"))), draft.person
        # A date that stands nowhere else cannot be harvested.
        other = p.examined - timedelta(days=draft.rng.randrange(30, 400))
        keyword = draft.rng.choice(ANYWHERE)
        written = other.strftime(form)
        draft.describe(ds, keyword, f"{{words}} {written}", written)

    TEXT.add(f"date-{number:02d}", plant)


for position, date_form in enumerate(DATE_FORMS):
    _date_case(position, date_form)


@TEXT.case("birth-date-in-every-spelling")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    spellings = [p.born.strftime(form) for form in pool(DATE_FORMS, draft.seed)]
    draft.describe(ds, "PatientComments", "DOB " + "; ".join(spellings) + " {words}", *spellings)


@TEXT.case("date-and-time")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    for keyword, form in (("ImageComments", "%Y-%m-%dT10:11:12"), ("PatientComments", "%Y%m%d101112")):
        other = p.examined - timedelta(days=draft.rng.randrange(400, 900))
        written = other.strftime(form)
        draft.describe(ds, keyword, f"{{words}} {written}", f"{other:%Y%m%d}", f"{other:%Y-%m-%d}", written)


@TEXT.case("two-digit-year")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    other = p.examined - timedelta(days=200)
    draft.describe(ds, "ImageComments", f"{{words}} {other:%m/%d/%y}", f"{other:%m/%d/%y}")


@TEXT.case("month-and-year-of-birth")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    draft.describe(ds, "PatientComments", f"born {p.born:%d %B %Y} {{words}}", f"{p.born:%d %B %Y}")


@TEXT.case("another-patient-of-the-study")
def _(draft: Draft) -> None:
    first = draft.image()
    other = invent(draft.rng, draft.seed)
    draft.person_secrets(other, "the other patient")
    draft.image("CT_small.dcm", other, patient=1)
    draft.describe(first, "ImageComments", f"{{words}} compare {other.given} {other.family}")
    draft.describe(first, "ProtocolName", f"{{words}} {other.mrn}")


@TEXT.case("physician-of-another-instance")
def _(draft: Draft) -> None:
    first, second = draft.image(), draft.image("CT_small.dcm")
    stranger = invent(draft.rng, draft.seed)
    second.PhysiciansOfRecord = "^".join(stranger.reader)
    for name in stranger.reader:
        draft.secret(name, "PhysiciansOfRecord of another instance")
    draft.describe(first, "SeriesDescription", f"{{words}} {stranger.reader[0]}")


@TEXT.case("name-only-in-a-nested-item-of-another-instance")
def _(draft: Draft) -> None:
    first, second = draft.image(), draft.image()
    stranger = invent(draft.rng, draft.seed)
    second.RequestAttributesSequence = draft.items(
        RequestingPhysician="^".join(stranger.physician), RequestedProcedureID="1"
    )
    draft.secret(stranger.physician[0], "nested physician of another instance")
    draft.describe(first, "StudyDescription", f"{{words}} f. {stranger.physician[0]}")


@TEXT.case("name-cut-off-at-the-end")
def _(draft: Draft) -> None:
    """Fields of 16 characters cut what was typed into them."""
    ds, p = draft.image(), draft.person
    draft.describe(ds, "SeriesDescription", "{words}")
    cut = p.family[:7]
    ds.SeriesDescription += f" {cut}"
    draft.gone(ds, ("SeriesDescription",), cut)


@TEXT.case("strangers-address")
def _(draft: Draft) -> None:
    ds, other = draft.image(), invent(draft.rng, draft.seed)
    place = f"{other.house} {other.street}, {other.town}, {other.postcode}"
    draft.describe(ds, "PatientComments", f"{{words}} moved to {place}", other.street, other.town)


@TEXT.case("strangers-title")
def _(draft: Draft) -> None:
    ds, other = draft.image(), invent(draft.rng, draft.seed)
    draft.describe(ds, "ImageComments", f"{{words}} d/w Dr. {other.reader[0]}", other.reader[0])


@TEXT.case("uid-in-text")
def _(draft: Draft) -> None:
    ds = draft.image()
    draft.describe(ds, "ImageComments", f"{{words}} {ds.StudyInstanceUID}")


@TEXT.case("file-path-in-text")
def _(draft: Draft) -> None:
    ds, p = draft.image(), draft.person
    path = f"C:/exports/{p.family}_{p.given}/{p.mrn}.dcm"
    draft.describe(ds, "DerivationDescription", f"{{words}} {path}")


@TEXT.case("words-stay-without-secrets")
def _(draft: Draft) -> None:
    ds = draft.image("CT_small.dcm")
    for keyword in ANYWHERE:
        draft.describe(ds, keyword, "{words}")


def _stays(name: str, keyword: str, text: str) -> Callable[[Draft], None]:
    def plant(draft: Draft) -> None:
        ds = draft.image()
        draft.describe(ds, keyword, "{words}")
        setattr(ds, keyword, text)
        draft.drop(lambda check: check.path == (keyword,))
        draft.keep(ds, (keyword,), *text.split(), needs="clean-descriptors")

    TEXT.add(name, plant)
    return plant


#: What looks like identity and is none.
for label, keyword, text in (
    ("numbers-of-technique-stay", "SeriesDescription", "t2_tse_tra_320_p2 TR 2300 TE 2.98 1.0x1.0x1.2 mm"),
    ("doses-stay", "ImageComments", "CTDIvol 12.5 mGy DLP 450.3 mGy*cm 120 kV 250 mAs"),
    ("sizes-stay", "ImageComments", "lesion 12 x 15 x 20 mm in segment 7, HU 45, SUV 3.2"),
    ("scores-stay", "PatientComments", "BI-RADS 4 Gleason 3+4 T2N0M0 PI-RADS 5"),
    ("laterality-stays", "SeriesDescription", "LT KNEE AP RT LAT OBL SAG COR TRA"),
    ("sequence-names-stay", "ProtocolName", "ep2d_diff_b0_b1000_ADC_TRACEW MPR_3D_VIBE_DIXON_W"),
    ("contrast-stays", "ContrastBolusAgent", "Gadobutrol 1.0 mmol/ml 7.5 ml IV"),
    ("kernels-stay", "SeriesDescription", "Thorax 1.0 B70f LUNG 5/2.5 iDose (3)"),
):
    _stays(label, keyword, text)
