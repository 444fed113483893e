# SPDX-License-Identifier: Apache-2.0
"""Failures as A1111's clients read them."""

import httpx

from tabard import InvalidArgument
from tabard_web.a1111.errors import a1111_failure, refuse


def test_failure_tells_what_and_what_to_do() -> None:
    """The reason that never changes, and words for people."""
    error = InvalidArgument("steps is too large", reason="STEPS_OUT_OF_RANGE", hint="ask for less")

    assert a1111_failure(error) == {
        "error": "STEPS_OUT_OF_RANGE",
        "detail": "steps is too large; ask for less",
        "body": "",
        "errors": "steps is too large",
    }


def test_paths_of_the_door_fail_in_its_shape(web: httpx.Client) -> None:
    """Those that are not there, too."""
    answer = web.get("/sdapi/v1/hypernetworks")

    assert (answer.status_code, answer.json()["error"]) == (404, "PATH_UNKNOWN")


def test_refusal_names_its_parameter() -> None:
    """First of all."""
    assert str(refuse("eta", "too large", hint="send 0")) == "eta: too large; send 0"
