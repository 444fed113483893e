# SPDX-License-Identifier: Apache-2.0
"""Log lines as events with fields: `server.ready address=127.0.0.1:50051 metrics=…`.

In: an event and its fields. Out: one line through the standard logging module. Fields hold no
prompts and no secrets.
"""

import json
import logging
from typing import Any

_LOGGER = logging.getLogger("tabard")


def log_event(event: str, **fields: Any) -> None:
    """Write an event at level INFO."""
    _LOGGER.info("%s", _line(event, fields))


def log_problem(event: str, *, error: BaseException | None = None, **fields: Any) -> None:
    """Write an event at level ERROR, with the traceback of `error` if there is one."""
    _LOGGER.error("%s", _line(event, fields), exc_info=error)


def set_up_logging() -> None:
    """Send events to standard error, with the time before them. For the main program only."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    _LOGGER.handlers[:] = [handler]
    _LOGGER.setLevel(logging.INFO)
    _LOGGER.propagate = False


def _line(event: str, fields: dict[str, Any]) -> str:
    return " ".join([event, *(f"{name}={_value(value)}" for name, value in fields.items())])


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    text = str(value)
    is_plain = text and text.isprintable() and not any(char in ' "=' for char in text)
    return text if is_plain else json.dumps(text)
