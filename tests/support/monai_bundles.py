"""Writes MONAI bundles in the model zoo's own layout, small ones whose answer can be worked out by hand.

The networks are one convolution of 1x1x1 voxels: their weights say what is bright. Nothing was trained.
"""

import json

import torch

#: Voxels above this, in modality units, belong to the segment.
LEVEL = 100.0
#: Intensities that the bundles stretch to 0..1.
LOW, HIGH = -200.0, 400.0

METADATA = {
    "schema": "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/meta_schema.json",
    "version": "0.5.9",
    "monai_version": "1.4.0",
    "name": "Spleen CT segmentation",
    "task": "Decathlon spleen segmentation",
    "description": "A model for volumetric (3D) segmentation of the spleen from CT image",
    "authors": "MONAI team",
    "copyright": "Copyright (c) MONAI Consortium",
    "data_source": "Task09_Spleen.tar of the Medical Segmentation Decathlon",
    "intended_use": "This is an example, not to be used for diagnostic purposes",
    "references": ["Xia, Yingda, et al. '3D Semi-Supervised Learning'"],
    "network_data_format": {
        "inputs": {
            "image": {
                "type": "image",
                "format": "hounsfield",
                "modality": "CT",
                "num_channels": 1,
                "spatial_shape": [96, 96, 96],
                "channel_def": {"0": "image"},
            }
        },
        "outputs": {
            "pred": {
                "type": "image",
                "format": "segmentation",
                "num_channels": 2,
                "channel_def": {"0": "background", "1": "spleen"},
            }
        },
    },
}


def steep(convolution, *, level=(LEVEL - LOW) / (HIGH - LOW), slope=200.0):
    """The state of a convolution with one input and two outputs: the second wins above `level`."""
    state = convolution.state_dict()
    state["weight"] = torch.tensor([-slope, slope]).reshape(state["weight"].shape)
    state["bias"] = torch.tensor([slope * level, -slope * level])
    return state


def segmentation_config():
    """As `spleen_ct_segmentation` of the zoo has it, with another network and smaller windows."""
    return {
        "imports": ["$import glob", "$import numpy", "$import os"],
        "bundle_root": ".",
        "image_key": "image",
        "output_dir": "$@bundle_root + '/eval'",
        "output_dtype": "$numpy.float32",
        "load_pretrain": True,
        "dataset_dir": "/workspace/data/Task09_Spleen",
        "datalist": "$list(sorted(glob.glob(@dataset_dir + '/imagesTs/*.nii.gz')))",
        "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
        "network_def": {
            "_target_": "torch.nn.Conv3d",
            "in_channels": 1,
            "out_channels": 2,
            "kernel_size": 1,
        },
        "network": "$@network_def.to(@device)",
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "LoadImaged", "keys": "@image_key", "reader": "ITKReader"},
                {"_target_": "EnsureChannelFirstd", "keys": "@image_key"},
                {"_target_": "Orientationd", "keys": "@image_key", "axcodes": "RAS"},
                {
                    "_target_": "Spacingd",
                    "keys": "@image_key",
                    "pixdim": [1.0, 1.0, 1.0],
                    "mode": "bilinear",
                },
                {
                    "_target_": "ScaleIntensityRanged",
                    "keys": "@image_key",
                    "a_min": LOW,
                    "a_max": HIGH,
                    "b_min": 0,
                    "b_max": 1,
                    "clip": True,
                },
                {"_target_": "EnsureTyped", "keys": "@image_key"},
            ],
        },
        "dataset": {
            "_target_": "Dataset",
            "data": "$[{'image': i} for i in @datalist]",
            "transform": "@preprocessing",
        },
        "dataloader": {"_target_": "DataLoader", "dataset": "@dataset", "batch_size": 1, "num_workers": 4},
        "inferer": {
            "_target_": "SlidingWindowInferer",
            "roi_size": [16, 16, 16],
            "sw_batch_size": 4,
            "overlap": 0.5,
        },
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "Activationsd", "keys": "pred", "softmax": True},
                {
                    "_target_": "Invertd",
                    "keys": "pred",
                    "transform": "@preprocessing",
                    "orig_keys": "@image_key",
                    "nearest_interp": False,
                    "to_tensor": True,
                },
                {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
                {"_target_": "SaveImaged", "keys": "pred", "output_dir": "@output_dir"},
            ],
        },
        "handlers": [{"_target_": "StatsHandler", "iteration_log": False}],
        "evaluator": {
            "_target_": "SupervisedEvaluator",
            "device": "@device",
            "val_data_loader": "@dataloader",
            "network": "@network",
            "inferer": "@inferer",
            "postprocessing": "@postprocessing",
            "val_handlers": "@handlers",
            "amp": True,
        },
        "checkpointloader": {
            "_target_": "CheckpointLoader",
            "load_path": "$@bundle_root + '/models/model.pt'",
            "load_dict": {"model": "@network"},
        },
        "initialize": [
            "$monai.utils.set_determinism(seed=123)",
            "$@checkpointloader(@evaluator) if @load_pretrain else None",
        ],
        "run": ["$@evaluator.run()"],
    }


def first_format_config():
    """The same model as bundles of MONAI 0.8 wrote it down: `<name>`, `<args>`, AddChanneld, no inversion."""

    def component(name, **arguments):
        return {"<name>": name, "<args>": arguments}

    return {
        "device": "$torch.device('cuda' if torch.cuda.is_available() else 'cpu')",
        "limits": {"low": LOW, "high": HIGH},
        "network_def": {
            "<path>": "torch.nn.Conv3d",
            "<args>": {"in_channels": "@<meta>#network_data_format#inputs#image#num_channels"}
            | {"out_channels": 2, "kernel_size": 1},
        },
        "network": "$@network_def.to(@device)",
        "preprocessing": component(
            "Compose",
            transforms=[
                component("LoadImaged", keys="image", image_only=False),
                component("AddChanneld", keys="image"),
                component(
                    "ScaleIntensityRanged",
                    keys="image",
                    a_min="@limits#low",
                    a_max="@limits#high",
                    b_min=0,
                    b_max=1,
                    clip=True,
                ),
                component("RandFlipd", keys="image") | {"<disabled>": True},
                component("ToTensord", keys="image"),
            ],
        ),
        "inferer": component("SimpleInferer"),
        "postprocessing": component(
            "Compose",
            transforms=[
                component("Activationsd", keys="pred", softmax=True),
                component("AsDiscreted", keys="pred", argmax=True),
                component("SaveImaged", keys="pred", meta_keys="image_meta_dict", output_dir="eval"),
            ],
        ),
        "handlers": [
            component("CheckpointLoader", load_path="models/model.pt", load_dict={"model": "@network"})
        ],
        "evaluator": component("SupervisedEvaluator", device="@device", val_handlers="@handlers"),
    }


def write_bundle(root, config, *, metadata=METADATA, state=None, folder="configs"):
    """Write the folder of a bundle; returns it."""
    (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "models").mkdir(exist_ok=True)
    (root / folder / "inference.json").write_text(json.dumps(config, indent=2))
    (root / folder / "metadata.json").write_text(json.dumps(metadata))
    (root / "LICENSE").write_text("Apache License\nVersion 2.0, January 2004\n")
    torch.save(steep(torch.nn.Conv3d(1, 2, 1)) if state is None else state, root / "models" / "model.pt")
    return root
