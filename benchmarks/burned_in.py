"""How much burned-in text the pixel cleaner covers, what it does to clean frames, and how long it takes.

    .venv/bin/python benchmarks/burned_in.py [--seeds 100] [--frames FOLDER ...]

Strings are drawn on seeds that nothing was tuned on, half of them on real slices and radiographs. A string
is covered where all of its ink is black afterwards but for 1 %. Clean frames come from pydicom-data, from
Debian's mricron-data where it is installed, and from folders of PNG or JPEG; what is blacked out in these
is listed, for real frames carry real markers.
"""

import argparse
import time
from collections import Counter
from pathlib import Path

import cv2
import nibabel as nib
import numpy as np
import pydicom
from pydicom.data import get_testdata_file
from support.pictures import as_image, clean, draw

from anonymizer.errors import CannotVouch
from anonymizer.pixels.cleaner import PixelCleaner

FIRST_SEED = 900_000
BACKGROUNDS = ("693_UNCI.dcm", "MR2_UNCR.dcm", "RG1_UNCR.dcm", "RG3_UNCR.dcm", "J2K_pixelrep_mismatch.dcm")
CLEAN = (*BACKGROUNDS, "eCT_Supplemental.dcm", "emri_small.dcm", "CT_small.dcm", "MR_small.dcm")
TEMPLATE = Path("/usr/share/mricron/templates/ch2.nii.gz")


def backgrounds() -> tuple[np.ndarray, ...]:
    """Real frames, 0 to 1."""
    found = []
    for name in BACKGROUNDS:
        pixels = pydicom.dcmread(get_testdata_file(name)).pixel_array.astype(np.float32)
        low, high = np.percentile(pixels, (0.5, 99.8))
        found.append(np.clip((pixels - low) / (high - low), 0, 1))
    return tuple(found)


def covered(cleaner: PixelCleaner, seeds: range) -> None:
    """Print the share of strings that were covered."""
    real = backgrounds()
    total, done, kept, stayed, kept_back, pixels, seconds = (Counter(), Counter(), 0, 0, 0, 0, 0.0)
    for seed in seeds:
        picture = draw(seed, real=real)
        started = time.perf_counter()
        try:
            outcome, _ = clean(cleaner, as_image(picture.pixels))
        except CannotVouch as refusal:
            print(f"  kept back: seed {seed}, {picture.kind}, {refusal.rule}")
            kept_back += 1
            continue
        seconds += time.perf_counter() - started
        pixels += picture.pixels.shape[0] * picture.pixels.shape[1]
        mask = np.zeros(picture.pixels.shape[:2], bool)
        for box in outcome.boxes:
            mask[box.y : box.y + box.height, box.x : box.x + box.width] = True
        for burned in picture.strings:
            share = mask[burned.ink].mean()
            total[picture.kind] += 1
            done[picture.kind] += share > 0.99
            if share <= 0.99:
                print(f"  missed: seed {seed}, {picture.kind}, {burned.style}, {burned.height} px,"
                      f" contrast {burned.contrast:.2f}, covered {share:.2f}")  # fmt: skip
        kept += len(picture.kept)
        stayed += sum(not mask[burned.ink].any() for burned in picture.kept)
    for kind in sorted(total):
        print(f"  {kind}: {done[kind]} of {total[kind]} strings covered")
    share = sum(done.values()) / max(1, sum(total.values()))
    print(f"strings covered: {sum(done.values())} of {sum(total.values())} ({share:.2%})")
    print(f"pictures kept back: {kept_back} of {len(seeds)}")
    print(f"harmless tokens that stayed: {stayed} of {kept}")
    looked = max(1, len(seeds) - kept_back)
    print(f"with text: {seconds / looked:.2f} s a picture, {seconds / pixels * 512 * 512:.2f} s a 512x512")


def clean_frames(folders: list[Path], most: int) -> list[tuple[str, np.ndarray]]:
    """Real frames by name."""
    frames: list[tuple[str, np.ndarray]] = []
    for name in CLEAN:
        array = pydicom.dcmread(get_testdata_file(name)).pixel_array
        frames += [(name, frame) for frame in (array if array.ndim == 3 else [array])]
    if TEMPLATE.exists():
        volume = np.asarray(nib.load(TEMPLATE).dataobj)
        for axis in range(3):
            frames += [(f"ch2, axis {axis}", s) for s in np.moveaxis(volume, axis, 0)[15:-15:6]]
    for folder in folders:
        files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in {".png", ".jpg", ".jpeg"})
        chosen = files[:: max(1, len(files) // most)][:most]
        frames += [
            (str(path.relative_to(folder.parent)), cv2.imread(str(path))[..., ::-1]) for path in chosen
        ]
    return frames


def unchanged(cleaner: PixelCleaner, frames: list[tuple[str, np.ndarray]]) -> None:
    """Print how many clean frames were changed."""
    changed, pixels, seconds = 0, 0, 0.0
    for name, frame in frames:
        started = time.perf_counter()
        outcome, after = clean(cleaner, as_image(frame))
        seconds += time.perf_counter() - started
        pixels += frame.shape[0] * frame.shape[1]
        if outcome.changed:
            changed += 1
            print(f"  changed: {name}, {[(b.x, b.y, b.width, b.height) for b in outcome.boxes]}")
        else:
            assert after.PixelData == as_image(frame).PixelData
    print(f"clean frames changed: {changed} of {len(frames)}")
    print(f"clean: {seconds / len(frames):.2f} s a frame, {seconds / pixels * 512 * 512:.2f} s a 512x512")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--first", type=int, default=FIRST_SEED)
    parser.add_argument("--frames", type=Path, nargs="*", default=[])
    parser.add_argument("--most", type=int, default=100, help="frames of each folder")
    arguments = parser.parse_args()
    cleaner = PixelCleaner()
    clean(cleaner, as_image(np.zeros((64, 64), np.uint8)))  # loads the networks
    if arguments.seeds:
        covered(cleaner, range(arguments.first, arguments.first + arguments.seeds))
    unchanged(cleaner, clean_frames(arguments.frames, arguments.most))


if __name__ == "__main__":
    main()
