# SPDX-License-Identifier: Apache-2.0
"""Log lines: an event and its fields, which a machine can take apart again."""

import json
import logging

import pytest

from tabard_server.telemetry.logs import log_event, log_problem


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        (3, "3"),
        (0.123456789, "0.123457"),
        (True, "True"),
        ("", '""'),
        ("two words", '"two words"'),
        ('a"b', r'"a\"b"'),
        ("a=b", '"a=b"'),
        ("a\nb", r'"a\nb"'),
    ],
)
def test_field_is_one_word(caplog: pytest.LogCaptureFixture, value: object, text: str) -> None:
    """Whatever a value holds, the line stays one line and its fields stay apart."""
    with caplog.at_level(logging.INFO, logger="tabard"):
        log_event("server.ready", address="here", value=value)

    assert caplog.messages == [f"server.ready address=here value={text}"]
    if text.startswith('"'):
        assert json.loads(text) == value


def test_problem_has_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    """An error goes into the log with where it came from; without one there is none."""
    error = ZeroDivisionError("half")

    log_problem("step.failed", error=error, job="j")
    log_problem("step.failed")

    first, second = caplog.records
    assert (first.levelname, first.getMessage()) == ("ERROR", "step.failed job=j")
    assert first.exc_info is not None and first.exc_info[1] is error
    assert not second.exc_info
