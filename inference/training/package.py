"""Writes the package of a trained network: weights, `model.yaml` with card, and the training record."""

from __future__ import annotations

import hashlib
import json
import platform
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import yaml
from pydicom import uid as uids
from safetensors.torch import save

from dicom_node.domain.errors import ConfigurationError
from inference.manifest import FILE_NAME, read_manifest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import nn

WEIGHTS_NAME, RECORD_NAME = "weights.safetensors", "training.json"
#: SOP Classes of single images and slices, by modality.
SOP_CLASSES = {
    "MR": (uids.MRImageStorage, uids.EnhancedMRImageStorage),
    "CT": (uids.CTImageStorage, uids.EnhancedCTImageStorage),
    "CR": (uids.ComputedRadiographyImageStorage,),
    "DX": (uids.DigitalXRayImageStorageForPresentation,),
    "MG": (uids.DigitalMammographyXRayImageStorageForPresentation,),
    "US": (uids.UltrasoundImageStorage,),
    "PT": (uids.PositronEmissionTomographyImageStorage,),
    "OT": (uids.SecondaryCaptureImageStorage,),
}
#: For classes and segments that nobody gave a code; reports declare the scheme.
PRIVATE_SCHEME = "99DICOMNODE"
_COLOURS = ([65.0, 55.0, 45.0], [60.0, -45.0, 40.0], [55.0, 10.0, -55.0], [85.0, 0.0, 75.0])


@dataclass(frozen=True, slots=True)
class PackageText:
    """What a person says of the package that training does not know.

    Attributes
    ----------
    codes
        Code value, scheme designator and meaning of classes or segments, by name.
    """

    name: str
    title: str
    licence: str
    version: str = "1.0.0"
    manufacturer: str = "trained on this site"
    modalities: tuple[str, ...] = ("OT",)
    intended_use: str = "Research. To be described by whoever trained it."
    codes: Mapping[str, tuple[str, str, str]] = field(default_factory=dict)


def write_weights(network: nn.Module, folder: Path) -> str:
    """Write the weights in half precision; their SHA-256."""
    tensors = {
        name: (t.half() if t.is_floating_point() else t).detach().cpu().contiguous()
        for name, t in network.state_dict().items()
    }
    content = save(tensors)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / WEIGHTS_NAME).write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def write_record(folder: Path, record: Mapping[str, Any], plan: Mapping[str, Any]) -> None:
    """Write the training record: plan, versions, splits, curves and figures."""
    versions = {
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": np.__version__,
    }
    text = json.dumps({"plan": plan, "versions": versions, **record}, indent=1, default=str)
    (folder / RECORD_NAME).write_text(text + "\n", encoding="utf-8")


def write_manifest(folder: Path, text: PackageText, sections: Mapping[str, Any]) -> None:
    """Write `model.yaml` and prove that it can be read.

    Parameters
    ----------
    sections
        `task`, `card`, `outputs`, `adapter`, `sha256` and, if wanted, `input`.

    Raises
    ------
    ConfigurationError
        If a modality is not known here.
    InvalidModelPackage
        If what was given breaks the contract.
    """
    unknown = [name for name in text.modalities if name not in SOP_CLASSES]
    if unknown:
        raise ConfigurationError(f"modality {unknown[0]}: known are {', '.join(SOP_CLASSES)}")
    classes = [str(one) for name in text.modalities for one in SOP_CLASSES[name]]
    content = {
        "schema": 1,
        "name": text.name,
        "version": text.version,
        # PS3.5 Annex B: a UID derived from a UUID; the same package gets the same one.
        "device_uid": f"2.25.{uuid.uuid5(uuid.NAMESPACE_URL, f'{text.name} {text.version}').int}",
        "title": text.title,
        "manufacturer": text.manufacturer,
        "task": sections["task"],
        "licence": text.licence,
        "family": ["123110", "DCM", "Artificial Intelligence"],
        "card": {"intended_use": text.intended_use, **sections["card"]},
        "weights": [{"role": "network", "path": WEIGHTS_NAME, "sha256": sections["sha256"]}],
        "input": {
            "modalities": list(text.modalities),
            "sop_classes": classes,
            "min_slices": 1,
            "spacing_mm": [0.01, 20.0],
            **sections.get("input", {}),
        },
        "gates": {"before": [], "after": []},
        "outputs": sections["outputs"],
        "thresholds": {"confidence": 0.6},
        "memory_mb": 1000,
        "adapter": sections["adapter"],
    }
    shown = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110)
    (folder / FILE_NAME).write_text(shown, encoding="utf-8")
    read_manifest(folder)


def classification_outputs(
    classes: tuple[str, ...],
    abnormal: tuple[str, ...],
    text: PackageText,
    *,
    temperature: float,
    threshold: float,
) -> dict[str, Any]:
    """`outputs` of a classifier."""
    return {
        "label": "{class_label} ({confidence_percent:.0f} %)",
        "classification": {
            "mode": "multi-class",
            "classes": [
                {
                    "name": identifier(name),
                    "label": label(name),
                    "code": list(text.codes.get(name, private_code(name))),
                    "abnormal": name in abnormal,
                }
                for name in classes
            ],
            **({"abnormal_threshold": round(threshold, 4)} if abnormal else {}),
            "temperature": round(temperature, 4),
        },
        "explanation": {"method": "grad-cam"},
    }


def segment_outputs(names: tuple[str, ...], text: PackageText) -> dict[str, Any]:
    """`outputs` of a segmenter; `names` without the background."""
    return {
        "label": f"{text.title[:60]}",
        "segments": [
            {
                "label": label(name),
                "category": ["49755003", "SCT", "Morphologically Abnormal Structure"],
                "type": list(text.codes.get(name, private_code(name))),
                "cielab": _COLOURS[n % len(_COLOURS)],
            }
            for n, name in enumerate(names)
        ],
    }


def private_code(name: str) -> tuple[str, str, str]:
    """A code of our own for a name that has none."""
    return identifier(name).upper()[:16], PRIVATE_SCHEME, label(name)


def identifier(name: str) -> str:
    """A name as facts of the manifest are written."""
    plain = "".join(c if c.isascii() and c.isalnum() else "_" for c in name.lower())
    return plain if plain[:1].isalpha() else f"c_{plain}"


def label(name: str) -> str:
    """A name as people read it."""
    plain = name.replace("_", " ").replace("\\", " ").strip()
    return (plain[:1].upper() + plain[1:])[:64] or "Class"
