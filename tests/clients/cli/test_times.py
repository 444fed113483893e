# SPDX-License-Identifier: Apache-2.0
"""Moments as people write them."""

from datetime import UTC, datetime, timedelta

import click
import pytest
from click.testing import CliRunner

from tabard.cli.times import Expiry, Time, read_expiry, read_time

NOW = datetime(2026, 11, 28, 12, 30, tzinfo=UTC)
NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


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
        ("2026-11-31", "did you mean '2026-11-30'? "),
        ("20270229", "did you mean '2027-02-28'? "),
        ("0000-01-32", ""),
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


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("90d", "2027-02-26T12:00:00+00:00"),
        (" 12 H ", "2026-11-29T00:00:00+00:00"),
        ("2w", "2026-12-12T12:00:00+00:00"),
        ("2026-12-31T12:00:00Z", "2026-12-31T12:00:00+00:00"),
        ("2026-12-31T12:00:00+02:00", "2026-12-31T12:00:00+02:00"),
    ],
)
def test_moment_to_come_is_read(text: str, found: str) -> None:
    """A span is one from now on."""
    assert read_expiry(text, now=NOON).isoformat() == found


def test_day_counts_to_its_end() -> None:
    """Who says a day means that it is still good then."""
    assert read_expiry("2026-12-31", now=NOON).isoformat().startswith("2026-12-31T23:59:59")


@pytest.mark.parametrize("text", ["", "soon", "90", "999999999w", "-3d", "2026-13-01"])
def test_what_is_no_moment_to_come_says_how(text: str) -> None:
    """With forms that lie ahead."""
    with pytest.raises(ValueError, match="is no time: write 90d"):
        read_expiry(text, now=NOON)


@pytest.mark.parametrize("text", ["now", "yesterday", "0d", "2026-11-27", "2020-01-01T00:00:00Z"])
def test_moment_that_is_over_is_refused(text: str) -> None:
    """A token that ended before it was made helps nobody."""
    with pytest.raises(ValueError, match="is over already"):
        read_expiry(text, now=NOON)


def test_moment_to_come_is_a_usage_error() -> None:
    """As of every option."""
    command = click.command()(
        click.option("--expires", type=Expiry(clock=lambda: NOON))(
            lambda expires: click.echo(expires.isoformat())
        )
    )

    good = CliRunner().invoke(command, ["--expires", "1d"])
    bad = CliRunner().invoke(command, ["--expires", "soon"])

    assert good.output.startswith("2026-11-29T")
    assert (bad.exit_code, "is no time" in bad.output) == (2, True)
