# SPDX-License-Identifier: Apache-2.0
"""Moments that are still to come."""

from datetime import UTC, datetime

import click
import pytest
from click.testing import CliRunner

from tabard.cli.expiry import Expiry, read_expiry

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


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
def test_moment_is_read(text: str, found: str) -> None:
    """A span is one from now on."""
    assert read_expiry(text, now=NOW).isoformat() == found


def test_day_counts_to_its_end() -> None:
    """Who says a day means that it is still good then."""
    assert read_expiry("2026-12-31", now=NOW).isoformat().startswith("2026-12-31T23:59:59")


@pytest.mark.parametrize("text", ["", "soon", "90", "999999999w", "-3d", "2026-13-01"])
def test_what_is_no_moment_says_how(text: str) -> None:
    """With forms that lie ahead."""
    with pytest.raises(ValueError, match="is no time: write 90d"):
        read_expiry(text, now=NOW)


@pytest.mark.parametrize("text", ["now", "yesterday", "0d", "2026-11-27", "2020-01-01T00:00:00Z"])
def test_moment_that_is_over_is_refused(text: str) -> None:
    """A token that ended before it was made helps nobody."""
    with pytest.raises(ValueError, match="is over already"):
        read_expiry(text, now=NOW)


def test_option_is_a_usage_error() -> None:
    """As of every option."""
    command = click.command()(
        click.option("--expires", type=Expiry(clock=lambda: NOW))(
            lambda expires: click.echo(expires.isoformat())
        )
    )

    good = CliRunner().invoke(command, ["--expires", "1d"])
    bad = CliRunner().invoke(command, ["--expires", "soon"])

    assert good.output.startswith("2026-11-29T")
    assert (bad.exit_code, "is no time" in bad.output) == (2, True)
