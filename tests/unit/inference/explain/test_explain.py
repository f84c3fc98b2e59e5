"""Where the evidence lies, on networks whose answer depends on known places."""

import itertools
import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch

from inference.explain.attribution import explain
from inference.explain.integrated_gradients import integrate_gradients
from inference.explain.methods import ExplanationImpossible, choose_method, possible_methods, title
from inference.explain.occlusion import PLACES

METHODS = ("grad-cam", "grad-cam++", "layer-cam", "occlusion", "integrated-gradients")
SIDES = {2: (48, 64), 3: (12, 20, 28)}


@pytest.fixture(autouse=True)
def one_thread():
    """Threads cost more than they bring on networks as small as these."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Opponents(torch.nn.Module):
    """Class 0 is what is bright in channel 0 less what is bright in channel 1; class 1 the other way."""

    def __init__(self, dimensions):
        super().__init__()
        convolution = {2: torch.nn.Conv2d, 3: torch.nn.Conv3d}[dimensions]
        pool = {2: torch.nn.AvgPool2d, 3: torch.nn.AvgPool3d}[dimensions]
        self.features = torch.nn.Sequential(
            convolution(2, 2, 3, padding=1, bias=False), pool(2), torch.nn.ReLU(inplace=True)
        )
        self.head = torch.nn.Linear(2, 2, bias=False)
        with torch.no_grad():
            kernel = self.features[0].weight
            kernel.zero_()
            kernel[0, 0] = kernel[1, 1] = 1 / 3**dimensions
            self.head.weight.copy_(torch.tensor([[1.0, -1.0], [-1.0, 1.0]]))

    def forward(self, image):
        return self.head(self.features(image).flatten(2).mean(dim=2))


class Counting(Opponents):
    """Knows the largest batch that it was given."""

    largest = 0

    def forward(self, image):
        self.largest = max(self.largest, len(image))
        return super().forward(image)


class Loaded:
    """A `LoadedNetwork`, with a module or without, as an ONNX file is."""

    def __init__(self, module, *, hidden=False):
        self._module, self.module = module.eval(), None if hidden else module

    def __call__(self, batch):
        with torch.inference_mode():
            return {"output": self._module(torch.from_numpy(batch)).numpy()}


def two_places(dimensions, count=1):
    """A batch with one bright place in each channel; also where they are: for class 0, for class 1."""
    sides = SIDES[dimensions]
    first = tuple(slice(side // 8, 3 * side // 8) for side in sides)
    second = tuple(slice(5 * side // 8, 7 * side // 8) for side in sides)
    batch = np.zeros((count, 2, *sides), np.float32)
    batch[:, 0][:, *first] = batch[:, 1][:, *second] = 1
    return batch, first, second


def lies_at(heat, here, there):
    """Whether a map is high at one place, low at the other one and in between."""
    outside = np.ones(heat.shape, bool)
    for place in (here, there):
        outside[tuple(slice(max(0, s.start - 6), s.stop + 6) for s in place)] = False
    return bool(heat[here].mean() > 0.5 and heat[there].mean() < 0.05 and not (heat[outside] > 0.2).any())


@pytest.mark.parametrize(("method", "dimensions"), list(itertools.product(METHODS, (2, 3))))
def test_evidence_for_a_class_is_high_and_evidence_against_it_is_not_drawn(method, dimensions):
    batch, first, second = two_places(dimensions)
    network = Loaded(Opponents(dimensions))
    for target, here, there in ((0, first, second), (1, second, first)):
        (heat,) = explain(network, batch, target, method)
        assert heat.dtype == np.float32
        assert heat.shape == SIDES[dimensions]
        assert heat.min() == 0
        assert heat.max() == 1
        assert lies_at(heat, here, there)
        # A map of the wrong polarity must not pass for one.
        assert not lies_at(1 - heat, here, there)
        assert not lies_at(heat, there, here)


@pytest.mark.parametrize("method", METHODS)
def test_the_same_input_gives_the_same_map_and_the_network_stays_as_it_was(method):
    torch.manual_seed(4)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.SiLU(inplace=True),
        torch.nn.Conv2d(4, 8, 3), torch.nn.ReLU(inplace=True),
        torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Dropout(0.5), torch.nn.Linear(8, 3),
    )  # fmt: skip
    network = Loaded(module)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    batch = np.random.default_rng(1).normal(size=(2, 1, 40, 33)).astype(np.float32)
    kept = batch.copy()
    with torch.inference_mode():  # as a task runs a network
        heat = explain(network, batch, 2, method)
    assert heat.max() == 1
    np.testing.assert_array_equal(heat, explain(network, batch, 2, method))
    np.testing.assert_array_equal(batch, kept)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert all(parameter.grad is None for parameter in module.parameters())
    assert not any(m._forward_hooks for m in module.modules())


@pytest.mark.parametrize("method", METHODS)
def test_images_of_a_batch_share_one_scale(method):
    batch, first, _ = two_places(2, count=2)
    batch[1] *= 0.25
    strong, weak = explain(Loaded(Opponents(2)), batch, 0, method)
    assert strong.max() == 1
    assert 0.03 < weak[first].max() < 0.5


@pytest.mark.parametrize("method", METHODS)
def test_an_image_that_says_nothing_has_an_empty_map(method):
    heat = explain(Loaded(Opponents(2)), np.zeros((1, 2, 20, 20), np.float32), 0, method)
    assert not heat.any()
    assert explain(Loaded(Opponents(2)), np.zeros((0, 2, 20, 20), np.float32), 0, method).shape == (0, 20, 20)


def test_integrated_gradients_sum_up_to_the_difference_from_the_empty_picture():
    torch.manual_seed(7)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(2, 6, 3), torch.nn.Softplus(), torch.nn.Flatten(), torch.nn.Linear(6 * 10 * 8, 2)
    ).eval()
    batch = np.random.default_rng(2).normal(size=(3, 2, 12, 10)).astype(np.float32)
    empty = np.broadcast_to(batch.mean(axis=(2, 3), keepdims=True), batch.shape).copy()
    with torch.inference_mode():
        difference = (module(torch.from_numpy(batch)) - module(torch.from_numpy(empty)))[:, 1].numpy()
    found = integrate_gradients(module, batch, 1).sum(axis=(1, 2))
    np.testing.assert_allclose(found, difference, atol=2e-3)


def test_grad_cam_is_what_the_papers_formula_gives():
    torch.manual_seed(3)
    module = Opponents(2)
    torch.nn.init.normal_(module.features[0].weight)
    batch = np.random.default_rng(5).normal(size=(1, 2, 16, 16)).astype(np.float32)
    maps = module.features(torch.from_numpy(batch))[0].detach().numpy()
    weights = np.array([1.0, -1.0]) / maps[0].size  # of the head, through the mean over the grid
    expected = np.maximum((maps * weights[:, None, None]).sum(axis=0), 0)
    heat = explain(Loaded(module), batch, 0, "grad-cam", layers=("features.2",))[0]
    # The grid has half the sides: the mean of four neighbours across a corner is one of its values.
    coarse = torch.nn.functional.interpolate(
        torch.from_numpy(expected)[None, None].float(), (16, 16), mode="bilinear"
    )[0, 0].numpy()
    np.testing.assert_allclose(heat, coarse / coarse.max(), atol=1e-5)


def test_layer_cam_weighs_each_cell_by_its_own_slope():
    torch.manual_seed(6)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(1, 3, 3, padding=1),
        torch.nn.Softplus(),
        torch.nn.Flatten(),
        torch.nn.Linear(3 * 64, 2),
    ).eval()
    batch = np.random.default_rng(8).normal(size=(1, 1, 8, 8)).astype(np.float32)
    maps = module[:2](torch.from_numpy(batch))[0].detach().numpy()
    slopes = module[3].weight[1].detach().numpy().reshape(maps.shape)  # another one in each cell
    expected = (np.maximum(slopes, 0) * maps).sum(axis=0)
    heat = explain(Loaded(module), batch, 1, "layer-cam", layers=("1",))[0]
    np.testing.assert_allclose(heat, expected / expected.max(), atol=1e-5)


def test_of_several_layers_only_what_all_of_them_show_is_left():
    torch.manual_seed(9)
    module = Opponents(2)
    torch.nn.init.normal_(module.features[0].weight)
    network = Loaded(module)
    batch = np.random.default_rng(4).normal(size=(2, 2, 16, 16)).astype(np.float32)
    fine, coarse = (
        explain(network, batch, 0, "layer-cam", layers=(name,)) for name in ("features.0", "features.2")
    )
    both = explain(network, batch, 0, "layer-cam", layers=("features.0", "features.2"))
    np.testing.assert_allclose(both, fine * coarse / (fine * coarse).max(), atol=1e-5)


def test_without_a_named_layer_the_last_grid_of_more_than_one_cell_is_taken():
    batch, _, _ = two_places(2)
    network = Loaded(Opponents(2))
    np.testing.assert_array_equal(
        explain(network, batch, 0, "grad-cam"), explain(network, batch, 0, "grad-cam", layers=("features.2",))
    )
    with pytest.raises(ExplanationImpossible, match=r"no layer 'backbone'; its last ones are .*features\.2"):
        explain(network, batch, 0, "grad-cam", layers=("backbone",))
    with pytest.raises(ExplanationImpossible, match="spatial grid"):
        explain(network, batch, 0, "grad-cam", layers=("head",))


def test_many_images_are_given_to_the_network_in_parts(monkeypatch):
    monkeypatch.setitem(PLACES, 2, 12)
    monkeypatch.setattr("inference.explain.parts.MAX_VALUES", 3 * 2 * 48 * 64)
    batch, first, second = two_places(2, count=4)
    for method in METHODS:
        network = Loaded(Counting(2))
        heat = explain(network, batch, 0, method)
        assert network.module.largest == 3
        assert all(lies_at(one, first, second) for one in heat)


def test_a_network_without_gradients_is_explained_by_occlusion_and_says_so():
    batch, first, second = two_places(2)
    network = Loaded(Opponents(2), hidden=True)
    assert possible_methods(network) == ("occlusion",)
    assert title(choose_method(network, "grad-cam")) == "Occlusion sensitivity"
    assert lies_at(explain(network, batch, 0, choose_method(network, "grad-cam"))[0], first, second)
    for method in set(METHODS) - {"occlusion"}:
        with pytest.raises(ExplanationImpossible, match="ask for occlusion"):
            explain(network, batch, 0, method)


def test_a_torchscript_network_is_explained_by_its_inputs_gradients():
    batch, first, second = two_places(2)
    with warnings.catch_warnings():
        # torch asks for other formats; users have files of this one.
        warnings.simplefilter("ignore", DeprecationWarning)
        network = Loaded(torch.jit.trace(Opponents(2), torch.zeros(1, 2, 48, 64)))
    assert possible_methods(network) == ("occlusion", "integrated-gradients")
    assert choose_method(network, "grad-cam++") == "occlusion"
    assert lies_at(explain(network, batch, 1, "integrated-gradients")[0], second, first)


@pytest.mark.parametrize("method", METHODS)
def test_what_cannot_be_explained_is_said(method):
    with pytest.raises(ExplanationImpossible, match="no class 2"):
        explain(Loaded(Opponents(2)), two_places(2)[0], 2, method)
    with pytest.raises(ExplanationImpossible, match="array of 3 axes"):
        explain(Loaded(Opponents(2)), two_places(2)[0][0], 0, method)
    with pytest.raises(ExplanationImpossible, match="there are grad-cam"):
        choose_method(Loaded(Opponents(2)), "saliency")


def test_the_package_itself_loads_no_torch():
    code = "import sys, inference.explain.attribution; raise SystemExit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ, timeout=60)
