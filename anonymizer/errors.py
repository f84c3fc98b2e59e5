"""Every error that the anonymizer raises on purpose.

Tree::

    AnonymizerError
    ├── CannotVouch        the instance is kept back: nothing was written that could be passed on
    │   └── Unreadable     the bytes are no DICOM Part 10 file that can be read to its end
    ├── RestoreError       the original identity cannot be put back without a doubt
    └── OptionUnavailable  the profile asks for an unknown option, or for two that exclude each other

Messages name rules and attribute keywords, never a value of a data set, an original UID or a file name.
"""

from __future__ import annotations


class AnonymizerError(Exception):
    """Base of all errors of the anonymizer."""


class CannotVouch(AnonymizerError):
    """The instance is kept back; `rule` says why, `keyword` where (attribute keyword or tag).

    Parameters
    ----------
    rule
        Stable short name of the rule, lower case with hyphens.
    advice
        What happened and what to do, without any value of the data set.
    keyword
        The attribute concerned, if there is one.
    """

    def __init__(self, rule: str, advice: str, keyword: str | None = None) -> None:
        where = f" ({keyword})" if keyword else ""
        super().__init__(f"{rule}{where}: {advice}")
        self.rule = rule
        self.keyword = keyword
        self.advice = advice


class Unreadable(CannotVouch):
    """The bytes are no DICOM Part 10 file that can be read to its end."""


class RestoreError(AnonymizerError):
    """The original identity cannot be put back without a doubt; nothing was written."""


class OptionUnavailable(AnonymizerError):
    """The profile asks for an unknown option, for two that exclude each other, or for what is missing."""
