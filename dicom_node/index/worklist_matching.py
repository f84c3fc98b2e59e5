"""Matching of work items against the keys of a search or of a subscription's filter.

Work items are matched after they are opened: their identifying attributes stand nowhere in clear.

References
----------
PS3.4 §C.2.2.2 and §CC.2.8 (matching), PS3.18 §8.3.4 and §11.9.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pydicom.datadict import dictionary_VR, keyword_for_tag

from dicom_node.domain.workitem import first, items
from dicom_node.index.date_times import offset_s
from dicom_node.index.keys import Options, read_test

if TYPE_CHECKING:
    from dicom_node.domain.workitem import Model
    from dicom_node.index.value_tests import Test

_TIMEZONE: Final = "00080201"


@dataclass(frozen=True, slots=True)
class Key:
    """One matching key, read.

    Attributes
    ----------
    path
        Tags: of sequences, and last of an attribute of their items.
    """

    path: tuple[str, ...]
    test: Test

    def accepts(self, model: Model) -> bool:
        """Whether a data set matches; of a sequence, whether one of its items does."""
        zone = offset_s(first(model, _TIMEZONE) or "") or 0.0
        found = [model]
        for tag in self.path[:-1]:
            found = [item for one in found for item in items(one, tag)]
        return any(self.test.accepts(one.get(self.path[-1]), zone) for one in found)


def read_keys(matches: dict[str, str], options: Options | None = None) -> list[Key]:
    """The keys that match less than everything.

    Raises
    ------
    ValueError
        If a value is malformed for its value representation; the message names the attribute.
    """
    keys = []
    for path, raw in matches.items():
        tags = tuple(path.split("."))
        try:
            test = read_test(_vr(tags[-1]), raw, options or Options())
        except ValueError as exc:
            raise ValueError(f"{keyword_for_tag(int(tags[-1], 16)) or tags[-1]}: {exc}") from None
        if test is not None:
            keys.append(Key(tags, test))
    return keys


def exact(matches: dict[str, str], tag: str) -> str | None:
    """The value of a key that asks for one value as it is written."""
    value = matches.get(tag, "").strip()
    return value if value and not set('*?\\,"') & set(value) else None


def _vr(tag: str) -> str | None:
    try:
        return dictionary_VR(int(tag, 16)).partition(" ")[0]
    except KeyError:
        return None
