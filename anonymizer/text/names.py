"""What a person's name looks like elsewhere.

References
----------
PS3.5 §6.2.1 (component groups and components of PN).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from anonymizer.text.words import INSIDE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MIN_PART: Final = 3
MIN_DIGITS: Final = 5
#: An initial and a family name in one word, as in account names.
MIN_ACCOUNT: Final = 5
_LETTERS: Final = rf"[^\W_](?:[^\W_]|[{INSIDE}])*"
_WORD: Final = re.compile(rf"{_LETTERS}(?:['\u2019-]{_LETTERS})*")
_PART: Final = re.compile(_LETTERS)
#: Scripts that write names in fewer than three characters, without spaces.
DENSE: Final = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]")


def name_strings(text: str, is_common: Callable[[str], bool]) -> Iterator[str]:
    """Lower-case strings to look for, of all values and component groups of a person name.

    Parameters
    ----------
    is_common
        Whether a lower-case word is of no use alone.
    """
    for name in text.strip(" \0").casefold().split("\\"):
        for group in name.split("="):
            yield from _group_strings(group, is_common)


def _group_strings(group: str, is_common: Callable[[str], bool]) -> Iterator[str]:
    components = [_WORD.findall(component) for component in group.split("^")]
    alone = list(_parts(components, is_common))
    yield from alone
    family, given = components[0], components[1] if len(components) > 1 else []
    words = [word for component in components for word in component if len(word) > 1]
    # Whole names, too, where the parts alone would not be found.
    if len(words) > 1 and not set(words) <= set(alone):
        rest = words[len([word for word in family if len(word) > 1]) :]
        yield " ".join(words)
        yield "^".join(words)
        yield " ".join([*words[1:], words[0]])
        yield " ".join([*rest, *family])
        if len(family) > 1:
            yield " ".join(family)
        if family and given:
            yield f"{given[0]} {family[-1]}"
            yield f"{family[-1]} {given[0]}"
    if family and given and not family[-1].isdecimal() and not given[0].isdecimal():
        yield from _joined(family[-1], given[0], is_common)


def _parts(components: list[list[str]], is_common: Callable[[str], bool]) -> Iterator[str]:
    """Words that are looked for alone."""
    for word in (word for component in components for word in component):
        pieces = _PART.findall(word)
        for part in dict.fromkeys([word, *pieces, "".join(pieces)]):
            dense = DENSE.search(part) is not None and len(part) > 1
            if (len(part) < MIN_PART and not dense) or is_common(part):
                continue
            if not part.isdecimal() or len(part) >= MIN_DIGITS:
                yield part


def _joined(family: str, given: str, is_common: Callable[[str], bool]) -> Iterator[str]:
    """Both names in one word, as in account names, and with an initial."""
    accounts = (family + given, given + family, given[0] + family, family + given[0])
    yield from (word for word in accounts if len(word) >= MIN_ACCOUNT and not is_common(word))
    if is_common(family) and len(family) >= MIN_PART:
        yield from (f"{given[0]}. {family}", f"{family}, {given[0]}.")
