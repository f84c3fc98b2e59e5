"""Finds addresses of every kind in text: mail, web, network, telephone, street and town.

References
----------
RFC 5322 §3.4.1 (mail addresses, simplified); RFC 1918 (private networks); E.123 (telephone numbers).
"""

# ruff: noqa: E501  # a pattern in two lines is harder to check than a long one
from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final

from anonymizer.text.findings import Finding
from anonymizer.text.words import words

if TYPE_CHECKING:
    from anonymizer.text.vocabulary import Vocabulary


_PHONE_LABEL: Final = (
    r"\b(?:tel(?:efon|ephone|éfono|efono|efoon|\.?-?nr)?|téléphone|fon|phone|ph|fax|telefax|mobil(?:e|telefon)?|mob|cell|pager|piper|handy"
    r"|durchwahl|call(?: back)?(?: at)?|contact(?: at)?|beeper|gsm|móvil|rückruf|rueckruf)\.?\s*(?:no\.?|nr\.?|number|#|n°)?\s*[:.=]?\s*"
)
_TLD: Final = (
    "com|org|net|edu|gov|mil|int|info|biz|de|ch|uk|eu|nl|fr|local|lan|intra|intern|internal|intranet|corp|home"
    "|hospital|clinic|health|nhs|med"
)
_COUNTRY: Final = "at|be|ca|es|it|dk|se|fi|pl|cz|hu|pt|au|nz|jp|br|mx|in|us|no|ie|lu|li|gr|tr|ro|il|za"
_OCTET: Final = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_STATE: Final = "(?:A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|PA|RI|S[CD]|T[NX]|UT|V[AIT]|W[AIVY]|A[AEPS]|MP|GU|PR|FM|MH|PW)"
#: kind, whether case counts, pattern; the group `v`, if any, is the stretch.
_SIMPLE: Final[tuple[tuple[str, bool, str], ...]] = (
    ("e-mail", False, r"(?<![\w.+-])[\w.+%-]+\s?(?:@|\[at\]|\(at\))\s?[\w-]+(?:\.[\w-]+)+"),
    ("e-mail", False, r"(?<![\w.+-])[\w.+%-]+@[\w-]{2,}"),
    ("url", False, r"\b(?:https?|ftp|sftp|file|dicom|ldap)://[^\s\\<>\"']+"),
    ("url", False, r"\bwww\.[\w-]+(?:\.[\w-]+)+(?:/[^\s\\]*)?"),
    ("host", False, rf"(?<![\w.@-])(?:[a-z][a-z0-9-]{{2,}})(?:\.[a-z0-9-]+)*\.(?:{_TLD})(?![\w-])(?::\d{{2,5}})?(?:/[^\s\\]*)?"),
    ("host", False, rf"(?<![\w.@-])[a-z][a-z0-9-]{{2,}}(?:\.[a-z0-9-]{{2,}})+\.(?:{_COUNTRY})(?![\w-])"),
    ("host", False, rf"(?<![\w.])(?:10|172|192|1[1-9]\d|2[0-4]\d)(?:\.{_OCTET}){{3}}(?![\w.]\d)(?::\d{{2,5}})?"),
    ("host", False, rf"\b(?:ip|host|server|node|addr(?:ess)?)\s*[:=]?\s*(?P<v>{_OCTET}(?:\.{_OCTET}){{3}})(?![.\d])"),
    ("host", False, r"(?<![\w:-])(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}(?![\w:-])"),
    ("host", False, r"(?<![\w:])(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}(?![\w:])"),
    ("host", False, r"\b(?:host ?name|computer|workstation|hostname)\s*[:=]\s*(?P<v>[\w.-]+)"),
    ("path", False, r"\\\\[\w.$-]+(?:\\[^\\\s]*)*"),
    ("path", False, r"(?<!\w)[a-z]:[\\/](?:[^\\/\s:*?\"<>|]+[\\/])*[^\\/\s:*?\"<>|]*"),
    ("path", False, r"(?<![\w/])/(?:home|users|mnt|media|srv|data|export|net|var|opt|tmp)/\S+"),
    ("phone", False, rf"{_PHONE_LABEL}(?P<v>\+?\(?\d[\d ()/.\u2010-\u2013-]{{2,}}\d)"),
    ("phone", False, r"(?<![\w.])(?:\+|00)[1-9]\d{0,2}[ ()/.-]{0,3}(?:\(0\)[ ]?)?\d{1,5}(?:[ /.-]{0,3}\d{2,}){1,5}(?!\d)"),
    ("phone", False, r"(?<![\w.])\(\d{2,5}\)[ -]?\d{3,}(?:[ -]\d{2,})*(?![\w.]\d)"),
    ("phone", False, r"(?<![\w.-])(?:1-)?[2-9]\d\d(?:([-.])\d{3}\1| [2-9]\d\d-| (?!256|320|384|512)[2-9]\d\d )\d{4}(?:\s?(?:x|ext\.?)\s?\d+)?(?![\w-]|\.\d)"),
    ("phone", False, r"(?<![\w./])0[1-9]\d{1,4} ?[/-] ?\d{3,}(?:[ -]\d{1,5})*(?![\w.]\d)"),
    ("phone", False, r"(?<![\w.])0\d(?:[ .]\d\d){4}(?![\w]|\.\d)"),
    ("phone", False, r"(?<![\w.])0\d{2,4} \d{3,4} \d{2,4}(?: \d{2,4})?(?![\w]|\.\d)"),
    ("phone", False, r"\b(?:(?:call|dial|reach|phone|at)\s+x ?|ext\.? ?|extension ?)(?P<v>\d{3,6})(?!\w)"),
    ("address", False, r"\b(?:p\.? ?o\.? ?box|postfach|postbus|apartado(?: de correos)?|casella postale)\s*:?\s*\d+"),
    ("address", False, r"\bBP\s*\d{2,5},? \d{5}\b"),
    ("address", False, r"\b(?:adresse|anschrift|address|adres|dirección|direccion|wohnhaft(?: in)?|wohnort|residence|domicile|domicilio|indirizzo|morada|home address)\s*[:=]\s*(?P<v>[^\n\r;\\|]+)"),
    ("address", True, rf"(?<!\w)(?:[A-Z][a-zà-ÿ'-]+ ){{1,3}}?[A-Z][a-zà-ÿ'-]+,? {_STATE} \d{{5}}(?:-\d{{4}})?(?!\d)"),
    ("address", True, r"(?<!\w)(?:(?:PSC \d+,? Box \d+|Unit \d+,? Box \d+|US(?:NS|NV|S|CGC) \w+),? )?(?:APO|FPO|DPO),? A[AEP] \d{5}(?:-\d{4})?"),
    ("address", True, rf"(?<![\d.])\d{{1,6}} (?:[\w.'#-]+,? ){{1,10}}?{_STATE} \d{{5}}(?:-\d{{4}})?(?!\d)"),
    ("address", True, rf"(?<!\w)[A-Z][a-zà-ÿ'-]+,? {_STATE} \d{{5}}(?:-\d{{4}})?(?!\d)"),
)  # fmt: skip
_CAP: Final = r"[A-ZÀ-ÖØ-Þ](?:[^\W\d_]|['\u2019-])*(?!\d)"
#: Street and town: kind of check, pattern. `name`: a word of the stretch must be unknown or no term.
_PLACES: Final[tuple[tuple[bool, str], ...]] = (
    (False, rf"(?<![\w.])\d{{1,5}}[a-zA-Z]?,? (?:[NSEW]\.? )?(?:{_CAP} ){{1,3}}(?:Street|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Drive|Terrace|Square|Highway|Hwy|Parkway|Pkwy|Crescent|Close|Court|STREET|AVENUE|AVE|ROAD|RD|BLVD|LANE|DRIVE)(?!\w)\.?(?:,? (?:Apt|Suite|Unit|#)\.? ?\w+)?"),
    (True, rf"(?<![\w.])\d{{1,5}}[a-zA-Z]?,? (?:{_CAP} ){{1,3}}(?:St|Dr|Ct|Pl|Ln|Way|Place|Sq)(?!\w)\.?"),
    (False, rf"(?<!\w)(?:(?:Große|Grosse|Kleine|Alte|Neue|Obere|Untere|Lange|Hohe|Sankt|St\.|Prof\.|Dr\.) ?-?)?{_CAP.replace('*', '*?')}(?:stra(?:ß|ss)e|str\.|gasse|allee|chaussee|straat|laan|plein|gracht|dreef|singel|steeg|boulevard|hof|pad) ?\d{{1,4}} ?[a-z]?(?!\w)"),
    (True, rf"(?<!\w){_CAP.replace('*', '*?')}(?:weg|platz|ring|damm|ufer|steig|stieg|graben|berg|hof|kade|dijk|markt|pfad|tor|wall|park) \d{{1,4}} ?[a-z]?(?!\w)"),
    (True, rf"(?<![\w.])\d{{1,5}}[a-zA-Z]?,? {_CAP.replace('*', '*?')}(?:stra(?:ß|ss)e|gasse|allee|weg|platz|ring|damm|ufer|steig|graben|berg|hof|straat|laan|plein)(?=, ?[A-ZÀ-Þ][^\W\d_]+(?:[ -][A-ZÀ-Þ][^\W\d_]+)?,? \d{{4,5}}(?!\d))"),
    (False, rf"(?<!\w)(?:(?:Am|An der|An den|Auf der|Auf dem|Im|In der|Zum|Zur|Unter den|Alte[rn]?|Neue[rn]?|Große|Kleine|Lange) )?{_CAP}[ -](?:Stra(?:ß|ss)e|Str\.|Allee|Platz|Weg|Ring|Damm|Ufer|Gasse) \d{{1,4}} ?[a-z]?(?!\w)"),
    (True, rf"(?<!\w)(?:Am|An der|An den|Auf der|Auf dem|Im|In der|In den|Zum|Zur|Unter den|Hinter der|Vor dem) {_CAP} \d{{1,4}} ?[a-z]?(?![\w.])"),
    (False, rf"(?<![\w.])\d{{1,4}}(?: ?(?:bis|ter))?,? (?:[Rr]ue|[Aa]venue|[Aa]v\.|[Bb]oulevard|[Bb]d\.?|[Pp]lace|[Cc]hemin|[Aa]llée|[Ii]mpasse|[Qq]uai|[Cc]ours|[Rr]oute|[Ss]quare) (?:(?:de|du|des|la|le|les) |l['\u2019]|d['\u2019]){{0,3}}{_CAP}(?:[ -]{_CAP}){{0,3}}"),
    (False, rf"(?<!\w)(?:C/|Calle|Avenida|Avda\.?|Plaza|Paseo|Camino|Carrer|Alameda|Glorieta|Rambla|Urbanización|Callejón|Rua|Viale|Piazza) (?:(?:de|del|la|las|los|el|di|da|dei|della|do|dos) ){{0,3}}{_CAP}(?: {_CAP}){{0,3}},? (?:n[º°.] ?)?\d{{1,4}}(?!\w)"),
    (True, rf"(?<!\w)(?:Pasaje|Pasadizo|Vial|Ronda|Cuesta|Acceso|Cañada|Via|Corso|Largo) (?:(?:de|del|la|las|los|el|di|da|dei|della|do|dos) ){{0,3}}{_CAP}(?: {_CAP}){{0,3}},? (?:n[º°.] ?)?\d{{1,4}}(?!\w)"),
    (False, rf"(?<!\w)(?:[Rr]ue|[Aa]venue|[Bb]oulevard|[Cc]hemin|[Ii]mpasse|[Pp]lace) [^,;\n]{{2,40}}, ?\d{{5}} {_CAP}(?:[- ](?:sur|les|la|le|en|{_CAP})){{0,4}}"),
    (True, rf"(?<![\w.])(?:[A-Z]{{1,2}}-)?\d{{5}},? {_CAP}(?:[ /-]{_CAP}){{0,2}}"),
    (False, rf"(?<![\w.])(?:CH|AT|A|B|L|NL|DK|F|D|E|I)-\d{{4,5}} {_CAP}(?: {_CAP})?"),
    (True, rf"(?<![\w.])[1-9]\d{{3}} ?(?!S[ADS]|MR|CT|US|CR|DX|HU|MS|MM|KV)[A-Z]{{2}},? {_CAP}"),
    (True, r"(?<!\w)(?:[BEGLMNSW]\d\d|[A-Z]{2}\d[A-Z\d]?) \d[ABD-HJLNP-UW-Z]{2}(?!\w)"),
)  # fmt: skip


@cache
def _simple() -> list[tuple[str, re.Pattern[str]]]:
    return [(kind, re.compile(form, 0 if cased else re.IGNORECASE)) for kind, cased, form in _SIMPLE]


@cache
def _places() -> list[tuple[bool, re.Pattern[str]]]:
    return [(check, re.compile(form)) for check, form in _PLACES]


def _possible(text: str) -> set[str]:
    """Kinds whose indispensable characters occur: most texts need no closer look for most kinds."""
    digits = any(map(str.isdigit, text))
    separated = ":" in text or "=" in text
    kinds = {
        "e-mail": "@" in text or "at]" in text or "at)" in text or "AT]" in text or "AT)" in text,
        "url": "://" in text or "www" in text or "WWW" in text,
        "host": "." in text or separated or (digits and "-" in text),
        "path": "\\" in text or "/" in text,
        "phone": digits,
        "address": digits or separated,
    }
    return {kind for kind, could_be in kinds.items() if could_be}


def find_contacts(text: str, vocabulary: Vocabulary) -> list[Finding]:
    """Mail, web, network, telephone and postal addresses of a text, unordered; they may overlap."""
    found: list[Finding] = []
    possible = _possible(text)
    for kind, pattern in _simple():
        if kind not in possible:
            continue
        for match in pattern.finditer(text):
            start, end = match.span("v") if "v" in pattern.groupindex else match.span()
            if kind != "phone" or _could_be_dialled(match.group()):
                whole = kind == "phone" and "v" in pattern.groupindex
                certain = kind == "e-mail" or whole
                extension = _EXTENSION.match(text, end) if kind == "phone" else None
                end = extension.end() if extension else end
                found.append(Finding(match.start() if whole else start, end, kind, certain))
    if any(map(str.isdigit, text)):
        for check, pattern in _places():
            found.extend(
                Finding(match.start(), _without_terms(text, *match.span(), vocabulary), "address")
                for match in pattern.finditer(text)
                if not check or _has_name(match.group(), vocabulary)
            )
    return found


def _could_be_dialled(text: str) -> bool:
    return sum(map(str.isdigit, text)) >= _MIN_DIGITS


_MIN_DIGITS: Final = 3
_EXTENSION: Final = re.compile(r"\s?(?:x|ext\.?|dw|durchwahl|app\.?)\s?\d{1,6}(?!\w)", re.IGNORECASE)
_POSTCODE: Final = re.compile(r"[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}")


def _without_terms(text: str, start: int, end: int, vocabulary: Vocabulary) -> int:
    """The end of an address without terms behind its town: `12345 Berlin Kopf`."""
    if not _CODE_FIRST.match(text, start):
        return end
    found = words(text[start:end])
    while len(found) > _MIN_ADDRESS and found[-1].folded.isalpha() and vocabulary.is_common(found[-1].folded):
        found.pop()
    if found and found[-1].end + start < end and _TRAILING_TERM.match(text, start + found[-1].end, end):
        return start + found[-1].end
    return end


_MIN_ADDRESS: Final = 2
_CODE_FIRST: Final = re.compile(r"(?:[A-Z]{1,2}-)?\d{4,5}\b")
_TRAILING_TERM: Final = re.compile(r"[ ,/-]+[^\W\d_]")


def _has_name(text: str, vocabulary: Vocabulary) -> bool:
    """Whether a stretch holds a word that is no term, or is a British postcode as a whole."""
    if _POSTCODE.fullmatch(text):
        return True
    return any(
        w.folded.isalpha() and len(w.folded) > 2 and not vocabulary.knows(w.folded) for w in words(text)
    )
