"""Generated requests, right and wrong: no operation ever fails on its own side, and every answer is as described."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from finsync.kit.models import ApiToken
from finsync.wsgi import application
from tests.world import World

EXAMPLES_PER_OPERATION = 2
CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance, status_code_conformance]


def test_generated_requests_are_answered_as_described(world: World) -> None:
    _, text = ApiToken.issue(world.people["ines"], "a test", ["read", "act"])
    headers = {"Authorization": f"Token {text}"}
    schema = schemathesis.openapi.from_wsgi("/api/schema/", application)
    failures: list[str] = []
    for found in schema.get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=EXAMPLES_PER_OPERATION, deadline=None, database=None, derandomize=True,
            phases=[Phase.generate], suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def answered(case: Any) -> None:
            case.call_and_validate(headers=headers, checks=CHECKS)

        try:
            answered()
        except BaseException as error:
            failures.append(f"{operation.method} {operation.path}: {error}")
    if failures:
        pytest.fail("\n".join(failures))
