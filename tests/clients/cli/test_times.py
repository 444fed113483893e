# SPDX-License-Identifier: Apache-2.0
"""Moments as people write them."""

from datetime import UTC, datetime, timedelta

import click
import pytest
from click.testing import CliRunner

from tabard.cli.times import Time, read_time

NOW = datetime(2026, 11, 28, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("now", timedelta()),
        ("90s", timedelta(seconds=90)),
        ("30m", timedelta(minutes=30)),
        ("1h", timedelta(hours=1)),
        ("3D", timedelta(days=3)),
        ("2w", timedelta(weeks=2)),
        ("2026-11-28T11:30:00Z", timedelta(hours=1)),
        ("2026-11-28T12:30:00+01:00", timedelta(hours=1)),
    ],
)
def test_moments_are_read(text: str, ago: timedelta) -> None:
    """Before now, or as RFC 3339 says it."""
    assert read_time(text, now=NOW) == NOW - ago


@pytest.mark.parametrize(
    ("text", "day"), [("today", 28), ("yesterday", 27), ("2026-11-26", 26), ("20261126", 26)]
)
def test_days_begin_and_end(text: str, day: int) -> None:
    """Where the command runs; behind `until` the whole day counts."""
    begins = read_time(text, now=NOW)
    ends = read_time(text, now=NOW, is_end=True)

    assert begins == datetime(2026, 11, day).astimezone()
    assert ends == datetime(2026, 11, day, 23, 59, 59, 999999).astimezone()


def test_time_without_an_offset_is_here() -> None:
    """As a clock on the wall says it."""
    found = read_time("2026-11-28 10:00", now=NOW)

    assert found == datetime(2026, 11, 28, 10).astimezone()


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("yesterdy", "did you mean 'yesterday'? "),
        ("2026-13-01", ""),
        ("99999999w", ""),
        ("1hour", "did you mean '1h'? "),
        ("3 days ago", "did you mean '3d'? "),
        ("2 months", ""),
        ("soon", ""),
        ("", ""),
    ],
)
def test_mistyped_times_say_what_is_meant(text: str, meant: str) -> None:
    """The value, the nearest word, and the forms."""
    with pytest.raises(ValueError, match="is no time") as caught:
        read_time(text, now=NOW)

    assert str(caught.value).startswith(f"'{text}' is no time: {meant}write 1h, 3d")


def test_option_is_a_moment() -> None:
    """With the clock that it is given."""
    seen: list[datetime] = []

    @click.command()
    @click.option("--since", type=Time(clock=lambda: NOW))
    def probe(since: datetime) -> None:
        seen.append(since)

    assert CliRunner().invoke(probe, ["--since", "1h"]).exit_code == 0
    assert CliRunner().invoke(probe, ["--since", "soon"]).exit_code == 2
    assert seen == [NOW - timedelta(hours=1)]
