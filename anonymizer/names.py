"""What a person's name looks like elsewhere.

References
----------
PS3.5 §6.2.1 (component groups and components of PN).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MIN_PART: Final = 3
MIN_DIGITS: Final = 5
#: An initial and a family name in one word, as in account names.
MIN_ACCOUNT: Final = 5
_WORD: Final = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")
_PART: Final = re.compile(r"[^\W_]+")
#: Scripts that write names in fewer than three characters, without spaces.
DENSE: Final = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]")
_FAMILY_AND_GIVEN: Final = 2


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
    words = [word for component in components for word in component if len(word) > 1]
    alone: list[str] = []
    for word in words:
        for part in dict.fromkeys([word, *_PART.findall(word)]):
            dense = DENSE.search(part) is not None and len(part) > 1
            if (len(part) < MIN_PART and not dense) or is_common(part):
                continue
            if not part.isdecimal() or len(part) >= MIN_DIGITS:
                alone.append(part)
    yield from alone
    # A whole name, too, where its parts alone would not be found.
    if len(words) > 1 and not set(words) <= set(alone):
        yield " ".join(words)
        yield " ".join([*words[1:], words[0]])
        yield "^".join(words)
    family = components[0][-1] if components and components[0] else ""
    given = components[1][0] if len(components) >= _FAMILY_AND_GIVEN and components[1] else ""
    if family and given and not family.isdecimal() and not given.isdecimal():
        if len(words) > _FAMILY_AND_GIVEN and not {family, given} <= set(alone):
            yield f"{given} {family}"
            yield f"{family} {given}"
        yield from (word for word in (family + given, given + family) if not is_common(word))
        if len(family) + 1 >= MIN_ACCOUNT:
            yield from (word for word in (given[0] + family, family + given[0]) if not is_common(word))
        if is_common(family) and len(family) >= MIN_PART:
            yield from (f"{given[0]}. {family}", f"{family}, {given[0]}.")
