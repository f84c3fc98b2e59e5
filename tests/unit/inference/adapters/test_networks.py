"""Networks load from safetensors, TorchScript, ONNX and weights of torch, and none of them runs code."""

import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper
from safetensors.torch import save_file
from toy_package import toy_manifest, write_package

from dicom_node.domain.errors import InvalidModelPackage
from inference.adapters.build import build_adapter
from inference.adapters.onnx_network import load_onnx
from inference.adapters.torch_network import TorchNetwork, load_network, load_torchscript, read_torchscript
from inference.adapters.weights import read_state
from inference.manifest import read_manifest

# torch wants its users to leave TorchScript; the files that people have are of it.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")

BATCH = np.random.default_rng(1).normal(size=(3, 1, 6, 5)).astype(np.float32)


class Small(torch.nn.Module):
    """Two outputs from one picture."""

    def __init__(self):
        super().__init__()
        self.convolution = torch.nn.Conv2d(1, 4, 3)
        self.linear = torch.nn.Linear(4, 2)

    def forward(self, pictures):
        maps = self.convolution(pictures)
        return self.linear(maps.mean(dim=(2, 3))), maps


@pytest.fixture
def small():
    torch.manual_seed(3)
    return Small().eval()


def manifest_for(folder, kind, file, *, target=None, **parameters):
    raw = toy_manifest()
    raw["adapter"] = {"kind": kind, "parameters": parameters} | ({"target": target} if target else {})
    raw["weights"] = [{"role": "network", "path": file, "sha256": "0" * 64}]
    return read_manifest(write_package(folder / "package", raw))


def test_torchscript_gives_what_the_network_gives_under_the_names_of_the_manifest(tmp_path, small):
    torch.jit.trace(small, torch.from_numpy(BATCH)).save(str(tmp_path / "net.ts"))
    manifest = manifest_for(tmp_path, "torchscript", "net.ts", outputs=["classes", "maps"])
    network = load_torchscript(manifest, {"network": tmp_path / "net.ts"}, "cpu")
    given = network(BATCH)
    with torch.inference_mode():
        classes, maps = small(torch.from_numpy(BATCH))
    assert set(given) == {"classes", "maps"}
    assert np.allclose(given["classes"], classes.numpy(), atol=1e-6)
    assert np.allclose(given["maps"], maps.numpy(), atol=1e-6)
    assert network.module is not None


def test_names_that_do_not_fit_the_outputs_are_told(tmp_path, small):
    network = TorchNetwork(small, "cpu", outputs=("one",))
    with pytest.raises(InvalidModelPackage, match="names 1, the network gives 2"):
        network(BATCH)
    assert set(TorchNetwork(small, "cpu")(BATCH)) == {"output_0", "output_1"}


def onnx_file(path, *, inputs=1):
    """relu(x + 1) for any batch."""
    names = [f"image_{n}" for n in range(inputs)]
    shape = ["batch", 1, 6, 5]
    graph = helper.make_graph(
        [
            helper.make_node("Add", [names[0], "one"], ["more"]),
            helper.make_node("Relu", ["more"], ["scores"]),
        ],
        "toy",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in names],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, shape)],
        [helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.write_bytes(model.SerializeToString())
    return path


def test_onnx_gives_its_output_and_has_no_gradients(tmp_path):
    path = onnx_file(tmp_path / "net.onnx")
    network = load_onnx(manifest_for(tmp_path, "onnx", "net.onnx"), {"network": path}, "cpu")
    assert np.allclose(network(BATCH)["output"], np.maximum(BATCH + 1, 0))
    assert network.module is None


def test_onnx_with_two_inputs_or_broken_is_refused(tmp_path):
    two = onnx_file(tmp_path / "two.onnx", inputs=2)
    manifest = manifest_for(tmp_path, "onnx", "two.onnx")
    with pytest.raises(InvalidModelPackage, match="takes 2 inputs"):
        load_onnx(manifest, {"network": two}, "cpu")
    two.write_bytes(two.read_bytes()[:40])
    with pytest.raises(InvalidModelPackage, match="cannot be loaded as ONNX"):
        load_onnx(manifest, {"network": two}, "cpu")


@pytest.fixture
def our_network(monkeypatch, small):
    module = type(sys)("inference.networks.build")
    module.build_network = lambda name, **parameters: {"small": Small}[name](**parameters)
    monkeypatch.setitem(sys.modules, "inference.networks.build", module)
    return small


@pytest.mark.parametrize("half", [False, True])
def test_an_architecture_takes_safetensors_of_full_or_half_precision(tmp_path, our_network, half):
    state = our_network.state_dict()
    save_file({k: v.half() if half else v for k, v in state.items()}, tmp_path / "net.safetensors")
    manifest = manifest_for(tmp_path, "network", "net.safetensors", target="small", outputs=["a", "b"])
    network = load_network(manifest, {"network": tmp_path / "net.safetensors"}, "cpu")
    with torch.inference_mode():
        classes, _ = our_network(torch.from_numpy(BATCH))
    assert np.allclose(network(BATCH)["a"], classes.numpy(), atol=1e-2 if half else 1e-6)


@pytest.mark.parametrize(
    ("saved", "key"),
    [
        (lambda state: state, None),
        (lambda state: {"epoch": 3, "state_dict": state}, None),
        (lambda state: {"ema": state}, "ema"),
        (lambda state: {"model": {f"module.{k}": v for k, v in state.items()}}, None),
    ],
)
def test_the_state_is_found_where_training_programs_put_it(tmp_path, our_network, saved, key):
    torch.save(saved(our_network.state_dict()), tmp_path / "net.pt")
    parameters = {"state_key": key} if key else {}
    manifest = manifest_for(tmp_path, "network", "net.pt", target="small", **parameters)
    network = load_network(manifest, {"network": tmp_path / "net.pt"}, "cpu")
    assert np.allclose(network(BATCH)["output_0"], TorchNetwork(our_network, "cpu")(BATCH)["output_0"])


@pytest.mark.parametrize(
    ("target", "parameters", "message"),
    [("large", {}, "network large cannot be built"), ("small", {"depth": 3}, "cannot be built")],
)
def test_an_architecture_that_is_not_there_is_told(tmp_path, our_network, target, parameters, message):
    save_file(our_network.state_dict(), tmp_path / "net.safetensors")
    manifest = manifest_for(tmp_path, "network", "net.safetensors", target=target, **parameters)
    with pytest.raises(InvalidModelPackage, match=message):
        load_network(manifest, {"network": tmp_path / "net.safetensors"}, "cpu")


def test_weights_of_another_network_are_told_by_their_first_name(tmp_path, our_network):
    save_file({"other": torch.zeros(2)}, tmp_path / "net.safetensors")
    manifest = manifest_for(tmp_path, "network", "net.safetensors", target="small")
    with pytest.raises(InvalidModelPackage, match="does not fit"):
        load_network(manifest, {"network": tmp_path / "net.safetensors"}, "cpu")


class Hostile:
    """Loading it writes a file: what a pickle of somebody else may do."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("write", [torch.save, lambda what, path: Path(path).write_bytes(pickle.dumps(what))])
def test_a_hostile_pickle_is_refused_and_runs_nothing(tmp_path, write):
    write({"state_dict": Hostile(tmp_path / "ran")}, tmp_path / "net.pt")
    with pytest.raises(InvalidModelPackage, match="dicom-node models trust"):
        read_state(tmp_path / "net.pt", trusted=False)
    assert not (tmp_path / "ran").exists()


def test_a_pickle_is_read_only_when_its_very_hash_is_trusted(tmp_path, our_network):
    torch.save(
        {"state_dict": our_network.state_dict(), "path": Hostile(tmp_path / "ran")}, tmp_path / "net.pt"
    )
    manifest = manifest_for(tmp_path, "network", "net.pt", target="small")
    weights = {"network": tmp_path / "net.pt"}
    with pytest.raises(InvalidModelPackage, match="models trust"):
        load_network(manifest, weights, "cpu", trusted={"1" * 64})
    assert not (tmp_path / "ran").exists()
    load_network(manifest, weights, "cpu", trusted={"0" * 64})
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["net.safetensors", "net.pt", "net.ts"])
@pytest.mark.parametrize("content", [b"", b"no weights at all", b"PK\x03\x04 half a zip"])
def test_files_that_are_no_weights_are_told(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    read = read_torchscript if name == "net.ts" else read_state
    rest = {"device": "cpu"} if name == "net.ts" else {"trusted": False}
    with pytest.raises(InvalidModelPackage, match=r"net\."):
        read(path, **rest)


def test_a_python_adapter_is_made_of_its_class(tmp_path):
    made = build_adapter(read_manifest(write_package(tmp_path / "toy", toy_manifest())), {}, "cpu")
    assert made.device == "cpu"


def test_a_python_adapter_that_is_not_installed_is_told(tmp_path):
    raw = toy_manifest()
    raw["adapter"]["target"] = "no_such_module:Model"
    with pytest.raises(InvalidModelPackage, match="no_such_module:Model"):
        build_adapter(read_manifest(write_package(tmp_path / "toy", raw)), {}, "cpu")
