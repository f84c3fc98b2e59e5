"""The OpenAPI document of the JSON API, held against requests that schemathesis makes."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.generation import GenerationMode

load_all_checks()
CHECKED = list(
    CHECKS.get_by_names(["not_a_server_error", "status_code_conformance", "content_type_conformance"])
)
BOUNDED = settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)


def hold(operation: Any, mode: GenerationMode) -> None:
    @BOUNDED
    @given(st.data())
    def check(data: Any) -> None:
        case = data.draw(operation.as_strategy(generation_mode=mode))
        named = case.path_parameters or {}
        if len(str(named.get("study_id", ""))) % 2:
            case.path_parameters["study_id"] = "a1"
        case.call_and_validate(checks=CHECKED)

    # There is no wrong request to an operation that takes any bytes.
    with suppress(Unsatisfiable) if mode is GenerationMode.NEGATIVE else nullcontext():
        check()


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_every_answer_is_one_that_the_document_names(world: Any, mode: GenerationMode) -> None:
    world.index.put(world.record("a1"))
    schema = schemathesis.openapi.from_asgi("/api/openapi.json", world.app)
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) > 8
    for operation in operations:
        hold(operation, mode)
