"""The text of a new package's `model.yaml`, with comments for who fills it in."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from inference.packages.codes import find_code

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TISSUE = ("85756007", "SCT", "Tissue")
STRUCTURE = ("91723000", "SCT", "Anatomical Structure")
FINDING = ("404684003", "SCT", "Clinical finding")
#: CIELab colours that are told apart easily, in turn.
COLOURS = ((65, 55, 45), (60, -45, 30), (50, 15, -60), (80, 0, 75), (55, 60, -40), (70, -30, -25))
#: Storage classes by modality, the single-frame ones.
SOP_CLASSES = {
    "CT": ("1.2.840.10008.5.1.4.1.1.2", "CT Image Storage"),
    "MR": ("1.2.840.10008.5.1.4.1.1.4", "MR Image Storage"),
    "PT": ("1.2.840.10008.5.1.4.1.1.128", "Positron Emission Tomography Image Storage"),
    "CR": ("1.2.840.10008.5.1.4.1.1.1", "Computed Radiography Image Storage"),
    "DX": ("1.2.840.10008.5.1.4.1.1.1.1", "Digital X-Ray Image Storage, for presentation"),
    "MG": ("1.2.840.10008.5.1.4.1.1.1.2", "Digital Mammography X-Ray Image Storage, for presentation"),
    "US": ("1.2.840.10008.5.1.4.1.1.6.1", "Ultrasound Image Storage"),
    "XC": ("1.2.840.10008.5.1.4.1.1.77.1.4", "VL Photographic Image Storage"),
    "ES": ("1.2.840.10008.5.1.4.1.1.77.1.1", "VL Endoscopic Image Storage"),
}


@dataclass(frozen=True, slots=True)
class NewPackage:
    """What is known of a package before its author has written anything.

    Attributes
    ----------
    labels
        Names of segments, classes or categories, in the order of the network's outputs.
    flat
        Whether the model takes pictures and not volumes.
    adapter
        The section `adapter`.
    weights
        The entries of `weights`.
    sample
        The entry `sample`, or `None`.
    """

    name: str
    device_uid: str
    task: str
    title: str = "What the model does, in a few words"
    version: str = "0.1.0"
    manufacturer: str = "Your department"
    licence: str = "LicenseRef-not-stated"
    modality: str = "MR"
    labels: Sequence[str] = ("first",)
    flat: bool = False
    adapter: Mapping[str, Any] = field(default_factory=dict)
    weights: Sequence[Mapping[str, str]] = ()
    sample: Mapping[str, Any] | None = None
    intended_use: str = "Research. Write here what it is for, and for whom."
    training: str = "Write here what it was trained on, by whom, and how it was tested."
    limits: Sequence[str] = ("Not tested yet.",)
    references: Sequence[str] = ()


def package_text(new: NewPackage) -> str:
    """The whole `model.yaml`."""
    sop_class, sop_name = SOP_CLASSES.get(new.modality, SOP_CLASSES["MR"])
    kind = "image" if new.flat else "volume"
    lines = [
        "# A model package. docs/models.md explains every key; `dicom-node models check` tries it.",
        "schema: 1",
        f"name: {new.name}",
        f"version: {_quoted(new.version)}",
        f"device_uid: {new.device_uid} # made for this package; it stands for the algorithm in results",
        f"title: {_quoted(_line(new.title))}",
        f"manufacturer: {_quoted(_line(new.manufacturer))}",
        f"task: {new.task}",
        f"licence: {_quoted(_line(new.licence))} # SPDX, of code and weights",
        "ai: true",
        'family: ["123110", DCM, Artificial Intelligence] # PS3.16 CID 7162',
        "",
        "card: # people read this with every result",
        f"  intended_use: {_quoted(new.intended_use)}",
        f"  training: {_quoted(new.training)}",
        f"  confidence: {_quoted(_confidence(new.task))}",
        "  limits: # where it fails, or was never tried",
        *(f"    - {_quoted(limit)}" for limit in new.limits),
        *(["  references:"] if new.references else []),
        *(f"    - {_quoted(text)}" for text in new.references),
        "",
        f"weights: {_flow(list(new.weights))} # sha256: `sha256sum FILE`; of a folder `models show` names it",
        "",
        "input: # what a series must be for the router to choose the model",
        f"  modalities: [{new.modality}]",
        f'  sop_classes: ["{sop_class}"] # {sop_name}',
        f"  kind: {kind} # volume, slices (of a volume), image (no geometry needed)",
        "  body_parts: [] # names as HEAD, CHEST, ABDOMEN; none: all",
        f"  min_slices: {1 if new.flat else 4}",
        "  spacing_mm: [0.05, 20] # smallest and largest distance of neighbouring voxels",
        "",
        "gates: # facts that must hold, or the run is rejected; docs/models.md lists them",
        "  before:",
        '    - {fact: distinct_values, text: "different values (a blank image has few)", at_least: 8}',
        "  after: []",
        "",
        "outputs:",
        *_outputs(new),
        "",
        "thresholds: {confidence: 0} # below it a run is rejected; the node's own threshold holds too",
        "memory_mb: 2000 # at the peak; `models check` measures it",
        f"adapter: {_flow(dict(new.adapter))}",
        "",
        *_sample(new.sample),
    ]
    return "\n".join(lines) + "\n"


def _outputs(new: NewPackage) -> list[str]:
    if new.task == "classification":
        return [
            '  label: "{class_label} ({probability_percent:.0f} %)"',
            "  classification:",
            "    mode: multi-class # or multi-label: each class by its own threshold",
            "    classes: # in the order of the network's outputs; give each its own code",
            *(
                f"      - {{{_named(label)}, abnormal: {'false' if number == 0 else 'true'}}}"
                for number, label in enumerate(new.labels)
            ),
        ]
    if new.task == "detection":
        return [
            '  label: "{detections:.0f} found"',
            "  detections: # categories, in the order of the network's labels; give each its own code",
            *(
                f"    - {{{_named(label)}, cielab: {_colour(number)}, min_score: 0.5}}"
                for number, label in enumerate(new.labels)
            ),
        ]
    if new.task == "measurement":
        return [
            '  label: "{mean_value:.1f}"',
            "  measurements: # numbers of the adapter's facts, with a code and a UCUM unit",
            '    - {fact: mean_value, name: ["373098007", SCT, Mean], unit: ["1", UCUM, no units]}',
        ]
    return [
        f'  label: "{_line(new.labels[0])} {{volume_ml:.1f}} mL"',
        "  segments: # counted from 1 as the mask's values; give each its own codes",
        *(line for number, label in enumerate(new.labels) for line in _segment(number, label)),
    ]


def _segment(number: int, label: str) -> list[str]:
    volume = '{fact: volume_ml, name: ["118565006", SCT, Volume], unit: [mL, UCUM, milliliter]}'
    return [
        f"    - label: {_quoted(_line(label))}",
        f"      category: {json.dumps(list(STRUCTURE))} # PS3.16 CID 7150",
        f"      type: {_code(label, TISSUE)} # CID 7151",
        f"      cielab: {_colour(number)}",
        f"      measurements: [{volume}]",
    ]


def _named(label: str) -> str:
    """Name, label and code of a class or category."""
    return f"name: {class_name(label)}, label: {_quoted(_line(label))}, code: {_code(label, FINDING)}"


def _sample(sample: Mapping[str, Any] | None) -> list[str]:
    if sample is None:
        return ["# sample: {path: sample.nii.gz, sha256: ..., fact: volume_ml, expected: [10, 12]}"]
    return [
        "# Add what must come out: {fact: volume_ml, expected: [10, 12]}, or {expected_class: name}.",
        f"sample: {_flow(dict(sample))}",
    ]


def _confidence(task: str) -> str:
    return {
        "classification": "The probability of the class that is said. Not calibrated yet.",
        "segmentation": "The mean probability of the voxels that were outlined. Not calibrated.",
        "detection": "The score of the surest box. Not calibrated.",
    }.get(task, "Write here what the number means.")


def _code(label: str, otherwise: tuple[str, str, str]) -> str:
    """A code of SNOMED CT where DICOM has a concept called so; else one that says little."""
    found = find_code("SCT", label.replace("_", " "))
    return json.dumps([found[0], "SCT", found[1]] if found else list(otherwise))


def _colour(number: int) -> str:
    return json.dumps(list(COLOURS[number % len(COLOURS)]))


def class_name(label: str) -> str:
    """The name that a label gets in a manifest."""
    word = "".join(c if c.isalnum() and c.isascii() else "_" for c in label.lower()).strip("_")
    return word if word[:1].isalpha() else f"class_{word}"


def _line(text: str) -> str:
    """One line that the schema takes: short, without backslashes or braces."""
    plain = " ".join(text.split())
    return "".join(c for c in plain if c not in "\\{}")[:64].strip() or "unnamed"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _flow(value: Any) -> str:
    """A value on one line; JSON is YAML too."""
    return json.dumps(value, ensure_ascii=False)
