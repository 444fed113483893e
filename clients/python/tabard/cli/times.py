# SPDX-License-Identifier: Apache-2.0
"""Moments as people write them: `1h`, `yesterday`, `2026-11-28`, or RFC 3339; and those to come.

In: a text, and what time it is. Out: an aware time. What says no offset is meant where the command
runs.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable
from datetime import MINYEAR, datetime, time, timedelta
from typing import Any

import click

from tabard.cli.choices import nearest

FORMS = "1h, 3d, yesterday, 2026-11-28, or 2026-11-23T12:00:00Z"
_FORMS_AHEAD = "90d, 12h, 2026-12-31, or 2026-12-31T12:00:00Z"
_SPAN = re.compile(r"\s*\d{1,9}\s*[smhdw]\s*", re.IGNORECASE)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_WORDS = re.compile(
    r"(\d{1,4})\s*(?:(s)ec(?:ond)?s?|(m)in(?:ute)?s?|(h)(?:ou)?rs?|(d)ays?|(w)eeks?)(?: ago)?"
)
_DAYS_AGO = {"today": 0, "yesterday": 1}


def read_time(text: str, *, now: datetime, is_end: bool = False) -> datetime:
    """Read a moment.

    Args:
        text: `30m`, `1h`, `3d`, `2w` before now; `now`, `today`, `yesterday`; a date, or a time.
        now: What time it is, with its offset.
        is_end: A day means its end, and not its beginning.

    Raises:
        ValueError: It is none; the text says what would be.
    """
    said = text.strip()
    word = said.lower()
    try:
        if match := re.fullmatch(r"(\d{1,9})\s*([smhdw])", word):
            return now - timedelta(seconds=int(match[1]) * _SECONDS[match[2]])
        if word == "now":
            return now
        if word in _DAYS_AGO:
            return _day(now.date() - timedelta(days=_DAYS_AGO[word]), is_end=is_end)
        read = datetime.fromisoformat(said)
        if re.fullmatch(r"\d{4}-?\d\d-?\d\d", said):
            return _day(read.date(), is_end=is_end)
        return read if read.tzinfo is not None else read.astimezone()
    except (ValueError, OverflowError, OSError):
        span = _WORDS.fullmatch(word)
        near = "".join(filter(None, span.groups())) if span else _last_day(word)
        near = near or nearest(word, ("now", *_DAYS_AGO)) or ""
        meant = f"did you mean '{near}'? " if near else ""
        raise ValueError(f"'{text}' is no time: {meant}write {FORMS}") from None


class Time(click.ParamType[datetime]):
    """An option that is a moment."""

    name = "time"

    def __init__(
        self, *, is_end: bool = False, clock: Callable[[], datetime] = datetime.now
    ) -> None:
        """Say whether a day means its end."""
        self._is_end = is_end
        self._clock = clock

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Read what was written."""
        if isinstance(value, datetime):
            return value
        try:
            return read_time(str(value), now=self._clock().astimezone(), is_end=self._is_end)
        except ValueError as error:
            self.fail(str(error), param, ctx)


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
        raise ValueError(f"'{text}' is no time: write {_FORMS_AHEAD}") from None
    if found <= now:
        raise ValueError(f"'{text}' is over already: write {_FORMS_AHEAD}")
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


def _last_day(word: str) -> str:
    """Return the last day of a month for a day that it has not; empty for all else."""
    match = re.fullmatch(r"(\d{4})-?(0[1-9]|1[0-2])-?(\d\d)", word)
    if match is None or int(match[1]) < MINYEAR or int(match[3]) == 0:
        return ""
    return f"{match[1]}-{match[2]}-{monthrange(int(match[1]), int(match[2]))[1]}"


def _day(date: Any, *, is_end: bool) -> datetime:
    return datetime.combine(date, time.max if is_end else time.min).astimezone()
