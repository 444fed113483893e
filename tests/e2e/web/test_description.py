# SPDX-License-Identifier: Apache-2.0
"""What OpenAPI says of the gateway holds, whatever is sent to it."""

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
MODES = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]


@pytest.mark.parametrize("mode", MODES)
def test_description_holds_whatever_is_sent(gateway: str, mode: GenerationMode) -> None:
    """Requests made up from it, right ones and wrong ones: none breaks a door."""
    send_whatever(gateway, mode, examples=5)


@pytest.mark.soak
@pytest.mark.parametrize("mode", MODES)
def test_description_holds_for_long(gateway: str, mode: GenerationMode) -> None:
    """The same with many more of each."""
    send_whatever(gateway, mode, examples=100)


def send_whatever(gateway: str, mode: GenerationMode, *, examples: int) -> None:
    """Send so many requests to every operation, and look at the answers."""
    schema = schemathesis.openapi.from_url(f"{gateway}/openapi.json")
    for found in schema.get_all_operations():
        operation = found.ok()
        if mode is GenerationMode.NEGATIVE and not operation.body:
            continue  # what takes nothing cannot be asked wrongly

        @settings(
            max_examples=examples,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def check(case: schemathesis.Case) -> None:
            case.call_and_validate(base_url=gateway, checks=CHECKS)

        check()
