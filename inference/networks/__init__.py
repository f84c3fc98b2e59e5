"""Networks by name: what packages and training build before they load weights."""

from inference.networks.build import NETWORKS, SEGMENTERS, build_network, stages

__all__ = ["NETWORKS", "SEGMENTERS", "build_network", "stages"]
