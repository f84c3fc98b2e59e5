"""Fixtures of the DICOMweb tests; the service itself is in tests/support/dicomweb_node.py."""

from __future__ import annotations

from typing import Any

import dicomweb_node
import pytest


@pytest.fixture(scope="session")
def support() -> Any:
    return dicomweb_node


@pytest.fixture
def node() -> Any:
    return dicomweb_node.Node()


@pytest.fixture
def client(node: Any) -> Any:
    return dicomweb_node.Client(node.app)
