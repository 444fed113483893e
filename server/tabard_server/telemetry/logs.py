# SPDX-License-Identifier: Apache-2.0
"""Log lines as events with fields: `server.ready address=127.0.0.1:50051 metrics=…`.

In: an event and its fields; also what libraries, warnings and dying threads say. Out: one line of
JSON, or of text for a terminal, which nothing in it can break or steer. No secrets, and no prompts
unless a setting says so.
"""

import json
import logging
import sys
import threading
import traceback
from collections.abc import MutableMapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal, TextIO

import structlog
from structlog.stdlib import ProcessorFormatter

LogFormat = Literal["auto", "json", "text"]
LogLevel = Literal["debug", "info", "warning", "error"]

FIELD_CHARS_MAX = 2_000
"""Longest text of a field; what is longer is cut."""
TRACEBACK_CHARS_MAX = 20_000
"""Longest traceback; its end is kept."""

_EventDict = MutableMapping[str, Any]
_LOGGER = structlog.wrap_logger(
    logging.getLogger("tabard"),
    processors=[structlog.stdlib.filter_by_level, ProcessorFormatter.wrap_for_formatter],
    wrapper_class=structlog.stdlib.BoundLogger,
)


def log_event(event: str, *, level: int = logging.INFO, **fields: Any) -> None:
    """Write an event."""
    _LOGGER.log(level, event, **fields)


def log_problem(event: str, *, error: BaseException | None = None, **fields: Any) -> None:
    """Write an event at level ERROR, with the traceback of `error` if there is one."""
    _LOGGER.error(event, exc_info=error, **fields)


def set_up_logging(
    *, log_format: LogFormat = "auto", level: LogLevel = "info", stream: TextIO | None = None
) -> None:
    """Send all that is logged in this process to one stream. For the main program only.

    Args:
        log_format: `auto` is text for a terminal, and JSON for everybody else.
        level: From which level on events are written; libraries are heard from warnings on.
        stream: Where to; standard error unless given.
    """
    is_terminal = (stream or sys.stderr).isatty()
    is_text = log_format == "text" or (log_format == "auto" and is_terminal)
    handler = _ToStandardError() if stream is None else logging.StreamHandler(stream)
    handler.setFormatter(
        ProcessorFormatter(
            processors=[_as_fields, _write_text if is_text else _write_json], keep_exc_info=True
        )
    )
    root, own = logging.getLogger(), logging.getLogger("tabard")
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    own.handlers[:] = []
    own.setLevel(level.upper())
    own.propagate = True
    logging.captureWarnings(True)
    threading.excepthook = _log_thread
    sys.excepthook = _log_crash


class _ToStandardError(logging.StreamHandler[TextIO]):
    """Writes to whatever standard error is at that moment."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr


def _as_fields(_logger: Any, _name: str, event_dict: _EventDict) -> _EventDict:
    """Put time, level and event first; what a library says is an event with a message."""
    record = event_dict.pop("_record")
    is_own = event_dict.pop("_from_structlog")
    error = event_dict.pop("exc_info", None)
    event = event_dict.pop("event")
    fields: dict[str, Any] = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "event": event if is_own else "library.message",
    }
    if not is_own:
        fields |= {"logger": record.name, "message": _value(event)}
    fields |= {name: _value(value) for name, value in event_dict.items()}
    if error:
        fields["traceback"] = _traceback(error)
    # What the formatter of the standard library would append below the line.
    record.exc_info = record.exc_text = record.stack_info = None
    return fields


def _write_json(_logger: Any, _name: str, event_dict: _EventDict) -> str:
    # Pure ASCII, so nothing in a line ends it or steers who looks at it.
    return json.dumps(dict(event_dict)).replace("\x7f", "\\u007f")


def _write_text(_logger: Any, _name: str, event_dict: _EventDict) -> str:
    time, level = event_dict.pop("time"), event_dict.pop("level").upper()
    event, told = event_dict.pop("event"), event_dict.pop("traceback", "")
    line = " ".join([time, level, event, *(f"{n}={_word(v)}" for n, v in event_dict.items())])
    return "\n".join([line, *map(_shown, told.splitlines())])


def _value(value: Any) -> Any:
    """Return a field as JSON has it, within bounds."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, list | tuple | set | frozenset):
        return [_value(one) for one in value]
    text = str(value)
    return text if len(text) <= FIELD_CHARS_MAX else text[: FIELD_CHARS_MAX - 1] + "…"


def _word(value: Any) -> str:
    """Return a field as one word of a line, which JSON can read again where it has quotes."""
    if isinstance(value, list):
        value = ",".join(map(str, value))
    text = str(value)
    is_plain = text and text.isprintable() and not any(char in text for char in ' "=')
    return text if is_plain else _shown(json.dumps(text, ensure_ascii=False))


def _shown(text: str) -> str:
    """Return text on one line, with JSON's escapes for what would steer a terminal."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else _escaped(one) for one in text)


def _escaped(char: str) -> str:
    return json.dumps(char)[1:-1].replace("\x7f", "\\u007f")


def _traceback(error: Any) -> str:
    if error is True:
        error = sys.exc_info()
    found = error[1] if isinstance(error, tuple) else error
    text = "".join(traceback.format_exception(found)) if found is not None else ""
    return text[-TRACEBACK_CHARS_MAX:].rstrip("\n")


def _log_thread(arguments: threading.ExceptHookArgs) -> None:
    name = arguments.thread.name if arguments.thread else "unknown"
    log_problem("thread.failed", error=arguments.exc_value, thread=name)


def _log_crash(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, Exception):
        log_problem("server.crashed", error=error)
    else:
        sys.__excepthook__(kind, error, trace)
