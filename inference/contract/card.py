"""What a package says of the model to people, and the files that it is made of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What people must know of a model.

    Attributes
    ----------
    intended_use, training, confidence
        What it is for, what it was trained on, and what its confidence means.
    limits
        Where it fails or was never tried.
    notices
        Sentences that go into every report.
    references
        Publications and sources.
    """

    intended_use: str
    training: str
    confidence: str
    limits: tuple[str, ...]
    notices: tuple[str, ...]
    references: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WeightFile:
    """One file of weights.

    Attributes
    ----------
    role
        What the adapter calls it.
    distribution
        Installed Python distribution that holds the file, or `None` where it lies in the package.
    path
        Inside that distribution (as its RECORD names it), or relative to the package folder.
    sha256
        Hexadecimal.
    """

    role: str
    distribution: str | None
    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Sample:
    """An input that the package is tried on by `models check`, and what must come out.

    Attributes
    ----------
    distribution, path
        A file of an installed distribution, or of the package where the distribution is `None`: NIfTI, DICOM,
        PNG, JPEG, or a folder of DICOM files.
    fact, expected
        A measured fact and the range that it must lie in.
    expected_class
        Name of the class that must be said to be there.
    rejected
        Whether the gates must reject it.
    """

    distribution: str | None
    path: str
    sha256: str
    fact: str | None = None
    expected: tuple[float, float] | None = None
    expected_class: str | None = None
    rejected: bool = False
