"""Predictions rest in the work area between the steps that make and encode them."""

from dataclasses import replace

import pytest
from predicted_tasks import TASKS, make_task

from dicom_node.pipeline.predictions import load_prediction, save_prediction


class Store:
    """`ports.BlobStore`, as far as predictions need it."""

    def __init__(self):
        self._held = {}

    def write(self, slot, name, stream):
        self._held[name] = stream.read()
        return name

    def read(self, ref):
        return self._held[ref]


@pytest.mark.parametrize("task", TASKS)
def test_prediction_comes_back_as_it_was(task):
    prediction = replace(make_task(task).prediction, spacing_mm=(2.5, 1.0, 0.5))
    store = Store()
    assert load_prediction(store, save_prediction(store, None, "one", prediction)) == prediction
