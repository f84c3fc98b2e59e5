"""A model of a few lines, for tests of the engine: it runs in the model process, as real ones do."""

import os
import signal
import time

import numpy as np

from inference.runner.adapter import ModelOutput


class ToyModel:
    """Marks what is brighter than 100; the first voxel may ask for something bad."""

    def __init__(self, weights, device):
        self.device = device

    def warm_up(self):
        pass

    def predict(self, volume):
        wish = int(volume.voxels[0, 0, 0])
        print("a library that talks on standard output")  # noqa: T201
        if wish == 1:
            os.kill(os.getpid(), signal.SIGSEGV)
        elif wish == 2:
            time.sleep(60)
        elif wish == 3:
            raise MemoryError
        elif wish == 4:
            raise ValueError("patient Muster^Erika")
        elif wish == 5:
            os._exit(7)
        elif wish == 8:
            self.hoard = np.ones(500 * 2**17)
            time.sleep(60)
        elif wish == 9:
            self.hoard = np.ones(170 * 2**17)
        mask = (volume.voxels > 100).astype(np.uint8)
        if wish == 6:
            mask = mask[:1]
        if wish == 7:
            mask = mask * 2
        return ModelOutput(
            0.75, mask=mask, probability=mask.astype(np.float32), facts={"pid": float(os.getpid())}
        )


class BrightClassifier:
    """Calls a picture bright by its middle; of two classes, `dark` and `bright`."""

    def __init__(self, weights, device):
        self.device = device

    def warm_up(self):
        pass

    def predict(self, volume):
        middle = float(volume.voxels[0, 8:16, 8:16].mean()) / 255
        bright = float(1 / (1 + np.exp(-16 * (middle - 0.5))))
        return ModelOutput(max(bright, 1 - bright), classes={"dark": 1 - bright, "bright": bright})
