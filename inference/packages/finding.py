"""What a check of a package has to say."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PackageFinding:
    """One thing about a package.

    Attributes
    ----------
    part
        `schema`, `files`, `licence`, `codes`, `sample`, `memory`, ...
    error
        Whether the package must not be used so; else it is a warning.
    """

    part: str
    text: str
    error: bool
