# SPDX-License-Identifier: Apache-2.0
"""Moments that are still to come, as people write them: `90d`, `2026-12-31`, or RFC 3339.

In: a text, and what time it is. Out: an aware time after that.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import click

from tabard.cli.times import read_time

FORMS = "90d, 12h, 2026-12-31, or 2026-12-31T12:00:00Z"
_SPAN = re.compile(r"\s*\d{1,9}\s*[smhdw]\s*", re.IGNORECASE)


def read_expiry(text: str, *, now: datetime) -> datetime:
    """Read a moment that is still to come; a day means its end.

    Raises:
        ValueError: It is none, or is over; the text says what would be.
    """
    try:
        found = read_time(text, now=now, is_end=True)
        if _SPAN.fullmatch(text):
            # A span reads as before now; here it is meant from now on.
            found = now + (now - found)
    except (ValueError, OverflowError):
        raise ValueError(f"'{text}' is no time: write {FORMS}") from None
    if found <= now:
        raise ValueError(f"'{text}' is over already: write {FORMS}")
    return found


class Expiry(click.ParamType[datetime]):
    """An option that is a moment still to come."""

    name = "time"

    def __init__(self, *, clock: Callable[[], datetime] = datetime.now) -> None:
        """Take what time it is."""
        self._clock = clock

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Read what was written."""
        if isinstance(value, datetime):
            return value
        try:
            return read_expiry(str(value), now=self._clock().astimezone())
        except ValueError as error:
            self.fail(str(error), param, ctx)
