"""Fixtures of the DICOMweb tests; the service itself is in tests/support/dicomweb_node.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dicomweb_node
import pytest

from dicom_node.index.database import open_database, upgrade

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def support() -> Any:
    return dicomweb_node


@pytest.fixture
def node() -> Any:
    return dicomweb_node.Node()


@pytest.fixture
def client(node: Any) -> Any:
    return dicomweb_node.Client(node.app)


@pytest.fixture
def study(node: Any, support: Any) -> list[bytes]:
    """Two slices in one series and one in another."""
    datasets = [
        support.slice_dataset(1),
        support.slice_dataset(2),
        support.slice_dataset(1, series="2.25.21"),
    ]
    for ds in datasets:
        node.publish(ds)
    return [support.to_bytes(ds) for ds in datasets]


@pytest.fixture(scope="module")
def empty_index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The real index, empty."""
    engine = open_database(f"sqlite:///{tmp_path_factory.mktemp('index') / 'node.db'}")
    upgrade(engine)
    yield engine
    engine.dispose()
