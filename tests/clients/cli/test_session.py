# SPDX-License-Identifier: Apache-2.0
"""Every command has the same options for where, as whom and how it speaks."""

import click
import pytest
from click.testing import CliRunner

from tabard import Client
from tabard.cli.session import Session, together, with_session

SEEN: list[Session] = []


@click.command()
@with_session
def probe(session: Session) -> None:
    """Keep the session that a command is given."""
    SEEN.append(session)


@pytest.fixture
def session_of(monkeypatch: pytest.MonkeyPatch) -> type[CliRunner]:
    """Leave the environment out of it."""
    for name in ("TABARD_ADDRESS", "TABARD_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    SEEN.clear()
    return CliRunner


def test_options_win_over_the_environment(
    session_of: type[CliRunner], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is said on the command line is meant."""
    monkeypatch.setenv("TABARD_ADDRESS", "there:1")
    monkeypatch.setenv("TABARD_TOKEN", "t")

    session_of().invoke(probe, [])
    session_of().invoke(probe, ["--address", "here:2", "--token", "u", "--json"])

    assert [(one.address, one.token) for one in SEEN] == [("there:1", "t"), ("here:2", "u")]
    assert [one.output.is_json for one in SEEN] == [False, True]


def test_no_address_is_none(session_of: type[CliRunner]) -> None:
    """So that a command can tell that no server was named."""
    session_of().invoke(probe, [])
    session_of().invoke(probe, ["--address", ""])

    assert [one.address for one in SEEN] == [None, None]


def test_token_is_not_shown(session_of: type[CliRunner]) -> None:
    """A session that is printed gives nothing away."""
    session_of().invoke(probe, ["--token", "secret"])

    assert "secret" not in repr(SEEN[0])


def test_session_connects_where_it_is_told(session_of: type[CliRunner]) -> None:
    """As a client of that address."""
    session_of().invoke(probe, ["--address", "127.0.0.1:1"])

    with SEEN[0].connect() as client:
        assert isinstance(client, Client)


def test_options_together_keep_their_order() -> None:
    """The help shows them as they are written."""
    given = together(click.option("--one"), click.option("--two"))

    command = click.command()(given(lambda one, two: None))

    assert [option.name for option in command.params] == ["one", "two"]
