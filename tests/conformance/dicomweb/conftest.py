"""Fixtures of the DICOMweb tests; the service itself is in tests/support/dicomweb_node.py."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest


def _load() -> Any:
    name = "dicomweb_node_for_tests"
    if name not in sys.modules:
        path = Path(__file__).parents[2] / "support" / "dicomweb_node.py"
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="session")
def support() -> Any:
    return _load()


@pytest.fixture
def node(support: Any) -> Any:
    return support.Node()


@pytest.fixture
def client(support: Any, node: Any) -> Any:
    return support.Client(node.app)
