# SPDX-License-Identifier: Apache-2.0
"""Log lines: an event and its fields, which machines take apart again and nothing can break."""

import asyncio
import io
import json
import logging
import re
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from tabard_server.telemetry.logs import (
    FIELD_CHARS_MAX,
    LogFormat,
    LogLevel,
    log_event,
    log_problem,
    set_up_logging,
)
from tests.root import ROOT

HOSTILE = 'a"b=\x1b[2J\n\u202e\u2028\x7f\x9b é \U000e0041 \udc80\\'


class Stream(io.StringIO):
    """Something to log to; a terminal if it is told so."""

    is_terminal = False

    def isatty(self) -> bool:
        return self.is_terminal


@pytest.fixture
def stream() -> Iterator[Stream]:
    """A stream; what logging was before it is again afterwards."""
    root, own = logging.getLogger(), logging.getLogger("tabard")
    before = (root.handlers[:], root.level, own.handlers[:], own.level, own.propagate)
    hooks = (threading.excepthook, sys.excepthook)
    yield Stream()
    logging.captureWarnings(False)
    root.handlers[:], own.handlers[:] = before[0], before[2]
    root.setLevel(before[1])
    own.setLevel(before[3])
    own.propagate = before[4]
    threading.excepthook, sys.excepthook = hooks


def documents(stream: Stream) -> list[dict[str, Any]]:
    """Return what was logged as JSON, a document a line."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def begin(stream: Stream, *, log_format: LogFormat = "json", level: LogLevel = "info") -> None:
    set_up_logging(log_format=log_format, level=level, stream=stream)


@pytest.mark.parametrize(
    ("log_format", "is_terminal", "is_json"),
    [("auto", False, True), ("auto", True, False), ("json", True, True), ("text", False, False)],
)
def test_terminal_gets_text(
    stream: Stream, log_format: LogFormat, is_terminal: bool, is_json: bool
) -> None:
    """Everybody else gets JSON, unless a setting says otherwise."""
    stream.is_terminal = is_terminal
    begin(stream, log_format=log_format)

    log_event("server.ready", address="here")

    line = stream.getvalue()
    assert line.startswith("{") == is_json
    assert line.rstrip().endswith('"address": "here"}' if is_json else "server.ready address=here")


def test_json_line_has_time_level_and_fields(stream: Stream) -> None:
    """Numbers stay numbers, what is listed stays a list, and everything else is text."""
    begin(stream)

    log_event("step.done", rows=3, seconds=0.123456789, digests=("a", "b"), ok=True, none=None)
    log_problem("step.failed", where=ZeroDivisionError("x"))

    first, second = documents(stream)
    assert first.pop("time").endswith("+00:00")
    assert first == {
        "level": "info",
        "event": "step.done",
        "rows": 3,
        "seconds": 0.123457,
        "digests": ["a", "b"],
        "ok": True,
        "none": None,
    }
    assert (second["level"], second["where"]) == ("error", "x")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        (3, "3"),
        (0.123456789, "0.123457"),
        (True, "True"),
        (["a", "b"], "a,b"),
        ("", '""'),
        ("zwei Wörter", '"zwei Wörter"'),
        ('a"b', r'"a\"b"'),
        ("a=b", '"a=b"'),
        ("a\nb", r'"a\nb"'),
        (HOSTILE, r'"a\"b=\u001b[2J\n\u202e\u2028\u007f\u009b é \udb40\udc41 \udc80\\"'),
    ],
)
def test_text_field_is_one_word(stream: Stream, value: object, text: str) -> None:
    """Whatever a value holds, the line stays one line and its fields stay apart."""
    begin(stream, log_format="text")

    log_event("server.ready", value=value)

    (line,) = stream.getvalue().splitlines()
    assert line.partition(" INFO ")[2] == f"server.ready value={text}"
    if text.startswith('"'):
        assert json.loads(text) == value


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_nothing_steers_who_looks(stream: Stream, log_format: LogFormat) -> None:
    """Not a field, not the text of an error, not what a library says."""
    begin(stream, log_format=log_format)
    error = ValueError(HOSTILE)

    log_event("x", value=HOSTILE)
    log_problem("x", error=error)
    logging.getLogger("grpc").warning("said %s", HOSTILE, exc_info=error)

    told = stream.getvalue()
    assert told.count("ValueError") == 2
    assert told.replace("\n", "").isprintable()


def test_problem_has_its_traceback(stream: Stream) -> None:
    """An error goes into the log with where it came from; without one there is none."""
    begin(stream)
    try:
        raise ZeroDivisionError("half")
    except ZeroDivisionError as error:
        log_problem("step.failed", error=error, job="j")
    log_problem("step.failed")

    first, second = documents(stream)
    assert first["job"] == "j"
    assert first["traceback"].startswith("Traceback (most recent call last)")
    assert first["traceback"].endswith("ZeroDivisionError: half")
    assert "traceback" not in second


def test_fields_are_bounded(stream: Stream) -> None:
    """Nobody fills a log with one field."""
    begin(stream)

    log_event("x", value="y" * (FIELD_CHARS_MAX + 1))

    assert documents(stream)[0]["value"] == "y" * (FIELD_CHARS_MAX - 1) + "…"


def test_level_is_where_it_begins(stream: Stream) -> None:
    """Details only where they are asked for; libraries from warnings on, always."""
    begin(stream, level="warning")
    log_event("too.little")
    log_event("enough", level=logging.WARNING)
    begin(stream, level="debug")
    log_event("detail", level=logging.DEBUG)
    logging.getLogger("botocore").debug("a header")

    assert [one["event"] for one in documents(stream)] == ["enough", "detail"]


def test_libraries_and_dying_threads_are_events(stream: Stream) -> None:
    """What reaches the standard library, a warning, an error nobody caught: the same lines."""
    begin(stream)

    async def forget() -> None:
        asyncio.get_running_loop().call_exception_handler({"message": "a task was forgotten"})

    logging.getLogger("grpc._server").error("gone %d", 7)
    asyncio.run(forget())
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(False)
        logging.captureWarnings(True)
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    thread = threading.Thread(target=lambda: 1 // 0, name="tabard-x")
    thread.start()
    thread.join()
    sys.excepthook(ValueError, ValueError("late"), None)

    found = documents(stream)
    assert [(one["event"], one.get("logger"), one["level"]) for one in found] == [
        ("library.message", "grpc._server", "error"),
        ("library.message", "asyncio", "error"),
        ("library.message", "py.warnings", "warning"),
        ("thread.failed", None, "error"),
        ("server.crashed", None, "error"),
    ]
    assert found[0]["message"] == "gone 7"
    assert found[3]["thread"] == "tabard-x"
    assert "ZeroDivisionError" in found[3]["traceback"]
    assert found[4]["traceback"] == "ValueError: late"


def test_every_event_is_documented() -> None:
    """What the server can say is in the table, and the table names nothing else."""
    said = re.compile(
        r'(?:\blog|log_event|log_problem|self\._write)(?:\(\s*|, )"([a-z_.]+)"'
        r'|event="([a-z_.]+)"|"(library[a-z.]+)"'
    )
    sources = (ROOT / "server" / "tabard_server").rglob("*.py")
    events = {
        one for path in sources for found in said.findall(path.read_text()) for one in found if one
    }
    text = (ROOT / "docs" / "logs.md").read_text(encoding="utf-8")
    table = text.partition("## Events")[2].partition("## Metrics")[0]
    told = {one for line in table.splitlines() for one in re.findall(r"`([a-z_]+\.[a-z_]+)`", line)}

    assert events - told == set()
    assert told - events == set()
