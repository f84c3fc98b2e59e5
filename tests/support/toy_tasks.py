"""Models of a few lines for each task, that run in the model process."""

import dataclasses
import os
import time

import numpy as np

from inference.runner.adapter import DetectedBox, Heat, ModelOutput


class _Toy:
    def __init__(self, weights, device):
        pass

    def warm_up(self):
        pass


class ToyClassifier(_Toy):
    """Says `glioma` the surer the brighter the images are (from 200 on it is sure), and is warm there."""

    def predict(self, volume):
        grey = volume.voxels if volume.voxels.ndim == 3 else volume.voxels.mean(axis=3)
        bright = np.clip(grey.mean(axis=(1, 2)) / 200, 0, 1)
        p = float(bright.mean())
        middle = len(grey) // 2
        return ModelOutput(
            confidence=max(p, 1 - p),
            classes={"none": 1 - p, "glioma": p},
            slice_probability=np.stack([1 - bright, bright], axis=1).astype(np.float32),
            slice_index=tuple(range(len(grey))),
            heat=Heat(
                np.clip(grey[[middle]] / 255, 0, 1).astype(np.float32), (middle,), "Brightness", "glioma"
            ),
            facts={"agreement": 1.0, "slices": float(len(grey))},
        )


class ToyTogether(ToyClassifier):
    """As `ToyClassifier`, and tells how many series it was given at once; a first voxel of 1 ends it."""

    def predict(self, volume):
        return next(self.predict_batch([volume]))

    def predict_batch(self, volumes):
        volumes = list(volumes)
        for volume in volumes:
            if volume.voxels[0, 0, 0] == 1:
                os._exit(7)
            if volume.voxels[0, 0, 0] == 2:
                time.sleep(60)
            made = super().predict(volume)
            yield dataclasses.replace(made, facts={**made.facts, "together": float(len(volumes))})


class ToyDetector(_Toy):
    """Boxes what is brighter than 100."""

    def predict(self, volume):
        places = np.argwhere(volume.voxels > 100)
        if not len(places):
            return ModelOutput(0.9)
        box = DetectedBox("nodule", 0.8, tuple(map(float, (*places.min(axis=0), *(places.max(axis=0) + 1)))))
        return ModelOutput(0.8, detections=(box,))


class ToyConsumer(_Toy):
    """Measures what is bright inside the mask of another model, and maps it."""

    def predict(self, volume):
        inside = volume.feeds["toy.mask"] > 0
        return ModelOutput(
            0.9,
            maps={"inside": np.where(inside, volume.voxels, 0).astype(np.float32)},
            facts={"inside": float(inside.sum())},
        )
