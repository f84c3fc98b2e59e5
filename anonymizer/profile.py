"""The Basic Application Level Confidentiality Profile and its twelve options.

References
----------
PS3.15 §E.2, §E.3; PS3.16 CID 7050.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from anonymizer.errors import OptionUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

#: CID 7050 code of the Basic Profile itself.
BASIC_PROFILE = ("113100", "Basic Application Confidentiality Profile")


class Option(Enum):
    """Options of the profile: configuration name, code and meaning in CID 7050 (scheme DCM)."""

    CLEAN_PIXEL_DATA = ("clean-pixel-data", "113101", "Clean Pixel Data Option")
    CLEAN_RECOGNIZABLE_VISUAL_FEATURES = (
        "clean-recognizable-visual-features",
        "113102",
        "Clean Recognizable Visual Features Option",
    )
    CLEAN_GRAPHICS = ("clean-graphics", "113103", "Clean Graphics Option")
    CLEAN_STRUCTURED_CONTENT = ("clean-structured-content", "113104", "Clean Structured Content Option")
    CLEAN_DESCRIPTORS = ("clean-descriptors", "113105", "Clean Descriptors Option")
    RETAIN_LONGITUDINAL_FULL_DATES = (
        "retain-longitudinal-full-dates",
        "113106",
        "Retain Longitudinal Temporal Information Full Dates Option",
    )
    RETAIN_LONGITUDINAL_MODIFIED_DATES = (
        "retain-longitudinal-modified-dates",
        "113107",
        "Retain Longitudinal Temporal Information Modified Dates Option",
    )
    RETAIN_PATIENT_CHARACTERISTICS = (
        "retain-patient-characteristics",
        "113108",
        "Retain Patient Characteristics Option",
    )
    RETAIN_DEVICE_IDENTITY = ("retain-device-identity", "113109", "Retain Device Identity Option")
    RETAIN_UIDS = ("retain-uids", "113110", "Retain UIDs Option")
    RETAIN_SAFE_PRIVATE = ("retain-safe-private", "113111", "Retain Safe Private Option")
    RETAIN_INSTITUTION_IDENTITY = (
        "retain-institution-identity",
        "113112",
        "Retain Institution Identity Option",
    )

    @property
    def label(self) -> str:
        """Name in configuration files."""
        return self.value[0]

    @property
    def code(self) -> str:
        """Code value in CID 7050."""
        return self.value[1]

    @property
    def meaning(self) -> str:
        """Code meaning in CID 7050."""
        return self.value[2]

    @property
    def column(self) -> str:
        """Column of Table E.1-1; options on pixels have none."""
        return self.label.replace("-", "_")


#: Options that cannot both be asked for (PS3.15 §E.3.6).
_EXCLUSIVE = frozenset({Option.RETAIN_LONGITUDINAL_FULL_DATES, Option.RETAIN_LONGITUDINAL_MODIFIED_DATES})
#: What keeps objects useful and lets nothing through that identifies: the default.
DEFAULT_OPTIONS = frozenset(
    {
        Option.CLEAN_DESCRIPTORS,
        Option.CLEAN_GRAPHICS,
        Option.CLEAN_STRUCTURED_CONTENT,
        Option.RETAIN_PATIENT_CHARACTERISTICS,
    }
)


_ORDER = tuple(Option)


@dataclass(frozen=True, slots=True)
class Profile:
    """The Basic Profile with options.

    Attributes
    ----------
    default_deny
        Attributes that no module of the SOP Class knows are removed, as far as they can hold text.

    Raises
    ------
    OptionUnavailable
        If options exclude each other.
    """

    options: frozenset[Option] = DEFAULT_OPTIONS
    default_deny: bool = True

    def __post_init__(self) -> None:
        if self.options >= _EXCLUSIVE:
            both = " and ".join(sorted(option.label for option in _EXCLUSIVE))
            raise OptionUnavailable(f"{both} exclude each other; leave one out")

    @classmethod
    def from_labels(cls, labels: tuple[str, ...]) -> Profile:
        """The profile with options by their names in configuration files.

        Raises
        ------
        OptionUnavailable
            If a name is unknown, or options exclude each other.
        """
        known = {option.label: option for option in Option}
        if unknown := sorted(set(labels) - known.keys()):
            raise OptionUnavailable(f"unknown option: {', '.join(unknown)}; known: {', '.join(known)}")
        return cls(frozenset(known[label] for label in labels))

    def __contains__(self, option: object) -> bool:
        return option in self.options

    def decide(self, options: Mapping[str, str]) -> tuple[str, Option | None]:
        """What the options say of a row of Table E.1-1 or E.3.4-1.

        An option overrides the Basic Profile (PS3.15 §E.1.1). Where one says keep and another clean, clean
        stands: it keeps the meaning and protects more.

        Parameters
        ----------
        options
            Action by option column.

        Returns
        -------
        tuple
            `K`, `C` or an empty string where no option says anything; and the option that says so.
        """
        kept: Option | None = None
        for option in _ORDER:
            if option not in self.options:
                continue
            action = options.get(option.column)
            if action == "C":
                return "C", option
            if action == "K":
                kept = option
        return ("K", kept) if kept else ("", None)

    @property
    def codes(self) -> tuple[tuple[str, str], ...]:
        """(code, meaning) for De-identification Method Code Sequence, ordered by code."""
        return (BASIC_PROFILE, *sorted((option.code, option.meaning) for option in self.options))
