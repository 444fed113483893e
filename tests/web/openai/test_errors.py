# SPDX-License-Identifier: Apache-2.0
"""Failures as OpenAI's clients read them, and Tabard's own words beside them."""

import pytest

from tabard import (
    FailedPrecondition,
    FieldViolation,
    Internal,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    TabardError,
    Unauthenticated,
)
from tabard_web.openai.errors import openai_failure


def test_failure_tells_what_and_where() -> None:
    """The parameter, the reason, and what to do."""
    violation = FieldViolation(field="size", description="too large")
    error = InvalidArgument(
        "size is too large",
        reason="SIZE_OUT_OF_RANGE",
        hint="ask for less",
        violations=(violation,),
    )

    assert openai_failure(error)["error"] == {
        "message": "size is too large; ask for less",
        "type": "invalid_request_error",
        "param": "size",
        "code": "size_out_of_range",
        "reason": "SIZE_OUT_OF_RANGE",
        "hint": "ask for less",
    }


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (NotFound("x", reason="ADAPTER_NOT_FOUND"), "invalid_request_error", "model_not_found"),
        (NotFound("x", reason="PATH_UNKNOWN"), "invalid_request_error", "path_unknown"),
        (NotFound("x", reason="JOB_UNKNOWN"), "invalid_request_error", "job_unknown"),
        (Unauthenticated("x", reason="TOKEN_REVOKED"), "authentication_error", "invalid_api_key"),
        (ResourceExhausted("x", reason="QUEUE_FULL"), "rate_limit_error", "rate_limit_exceeded"),
        (Internal("x", reason="INTERNAL"), "server_error", "internal"),
        (
            FailedPrecondition("x", reason="IMAGE_WITHHELD"),
            "invalid_request_error",
            "content_policy_violation",
        ),
        (TabardError("x"), "server_error", None),
    ],
)
def test_kinds_have_openais_words(error: TabardError, kind: str, code: str | None) -> None:
    """Tools decide by them."""
    told = openai_failure(error)["error"]

    assert (told["type"], told["code"]) == (kind, code)


@pytest.mark.parametrize(
    ("field", "param"),
    [
        ("adapters", "model"),
        ("adapters.ref", "model"),
        ("adapters[1].ref", "model"),
        ("x.y", "x.y"),
    ],
)
def test_parameter_has_the_doors_name(field: str, param: str) -> None:
    """Also where the server means a part of it."""
    violation = FieldViolation(field=field, description="too long")
    error = InvalidArgument("x", violations=(violation,))

    assert openai_failure(error)["error"]["param"] == param
