"""What the OpenAPI documents of the DICOMweb services promise, held against requests that schemathesis makes.

Whatever is sent, the answer has a status and a media type that the document names, and is no 500.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from dicomweb_node import Node, sample_bytes, slice_dataset
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.config import SchemathesisConfig
from schemathesis.generation import GenerationMode
from worklist_node import WorklistNode

from dicom_node.index.database import open_database, upgrade
from dicomweb.capabilities.openapi import openapi_document
from dicomweb.capabilities.studies import studies_transactions
from dicomweb.capabilities.uri_service import uri_transactions
from dicomweb.capabilities.worklist import worklist_transactions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dicomweb.capabilities.transactions import Transaction

load_all_checks()
CHECKED = list(
    CHECKS.get_by_names(
        [
            "not_a_server_error",
            "status_code_conformance",
            "content_type_conformance",
            "response_schema_conformance",
            "allow_header_conformance",
        ]
    )
)
#: What is there, by parameter; about half of the requests ask for it.
KNOWN = {
    "study": "2.25.10",
    "series": "2.25.20",
    "instance": "2.25.20.1",
    "frames": "2",
    "path": "7FE00010",
    "studyUID": "2.25.10",
    "seriesUID": "2.25.20",
    "objectUID": "2.25.20.1",
    "workitem": "1.2.3",
}
BOUNDED = settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)
MODES = pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
#: Its answer ends when the client leaves.
ENDLESS = frozenset({"OpenEventChannel"})


def register_bytes(media_type: str) -> None:
    @schemathesis.serializer(media_type)
    def as_bytes(context: Any, value: Any) -> Any:
        return value if isinstance(value, bytes) else str(value).encode()


for kind in ("application/dicom", "application/dicom+xml", "multipart/related"):
    register_bytes(kind)


def operations(transactions: tuple[Transaction, ...]) -> Any:
    chosen = [transaction for transaction in transactions if transaction.identifier not in ENDLESS]
    return pytest.mark.parametrize("transaction", chosen, ids=lambda transaction: transaction.identifier)


def half_known(values: dict[str, Any] | None) -> dict[str, Any]:
    """The same values, or those of what is there, as chance has it."""
    values = dict(values or {})
    if sum(len(str(value)) for value in values.values()) % 2:
        values.update({name: KNOWN[name] for name in values if name in KNOWN})
    return values


def hold(schema: Any, transaction: Transaction, mode: GenerationMode) -> None:
    operation = schema[transaction.path][transaction.method]

    @BOUNDED
    @given(st.data())
    def check(data: Any) -> None:
        case = data.draw(operation.as_strategy(generation_mode=mode))
        case.path_parameters = half_known(case.path_parameters)
        case.query = half_known(case.query)
        case.call_and_validate(checks=CHECKED)

    check()


@pytest.fixture(scope="module")
def node() -> Any:
    node = Node()
    node.publish(slice_dataset(1, rows=20, columns=30, NumberOfFrames=2))
    node.publish(sample_bytes("reportsi.dcm"))
    return node


def schema_of(document: dict[str, Any], app: Any) -> Any:
    schema = schemathesis.openapi.from_dict(document, config=SchemathesisConfig.from_dict({"seed": 4}))
    schema.app = app
    return schema


@pytest.fixture(scope="module")
def uri(node: Any) -> Any:
    return schema_of(openapi_document(uri_transactions(), "http://node.test", "WADO-URI"), node.app)


@pytest.fixture(scope="module")
def worklist(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    engine = open_database(f"sqlite:///{tmp_path_factory.mktemp('worklist')}/node.db")
    upgrade(engine)
    node = WorklistNode(engine, hosts=("testserver", "node.test"))
    node.create("1.2.3")
    yield schemathesis.openapi.from_asgi("/dicom-web/openapi.json", node.app)
    engine.dispose()


@pytest.fixture(scope="module")
def studies(node: Any) -> Any:
    return schemathesis.openapi.from_asgi("/dicom-web/openapi.json", node.app)


@MODES
@operations(studies_transactions())
def test_studies_service(studies: Any, transaction: Transaction, mode: GenerationMode) -> None:
    hold(studies, transaction, mode)


@MODES
@operations(uri_transactions())
def test_uri_service(uri: Any, transaction: Transaction, mode: GenerationMode) -> None:
    hold(uri, transaction, mode)


@MODES
@operations(worklist_transactions())
def test_worklist_service(worklist: Any, transaction: Transaction, mode: GenerationMode) -> None:
    hold(worklist, transaction, mode)


def test_requests_reach_what_is_there(studies: Any) -> None:
    """The others would pass where every answer is a refusal."""
    seen = set()
    for tail in ("", "/metadata", "/rendered", "/thumbnail"):
        path = "/studies/{study}/series/{series}/instances/{instance}" + tail
        case = studies[path]["GET"].Case(path_parameters=dict(KNOWN))
        seen.add(case.call_and_validate(checks=CHECKED).status_code)
    assert seen == {200}
