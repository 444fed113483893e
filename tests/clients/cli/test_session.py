# SPDX-License-Identifier: Apache-2.0
"""Every command has the same options for where, as whom and how it speaks."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tabard import Client
from tabard.cli.session import Session, together, with_session
from tests.clients.cli.conftest import Tabard
from tests.clients.fakes.server import FakeServer
from tests.clients.fakes.state import FakeStatus

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


def test_waiting_is_said(tabard: Tabard, server: FakeServer, style_file: Path) -> None:
    """On stderr, for people; with --json nothing but the answer."""
    server.state.fail_with = FakeStatus(8, "all places are taken", "UPLOADS_BUSY", "", (), 0.01)
    arguments = ("publish", "acme/a", style_file, "--version", "1.0.0")

    server.state.fail_times = 2
    said = tabard(*arguments)
    server.state.fail_times = 2
    silent = tabard(*arguments, "--json")

    assert (said.code, said.err.count("the server is busy: all places are taken")) == (0, 2)
    assert (silent.code, silent.err) == (0, "")


@pytest.mark.parametrize("state", ["starting", "draining"])
def test_waiting_says_what_a_server_is(
    tabard: Tabard, server: FakeServer, style_file: Path, state: str
) -> None:
    """One that is not full is not called busy."""
    why = f"this server is {state} and takes no new jobs"
    server.state.fail_with = FakeStatus(14, why, state.upper(), "", (), 0.01)
    server.state.fail_times = 1

    ran = tabard("publish", "acme/a", style_file, "--version", "1.0.0")

    assert (ran.code, "busy" in ran.err) == (0, False)
    assert f"s, because {why}" in ran.err


def test_impatient_command_is_refused_at_once(
    tabard: Tabard, server: FakeServer, style_file: Path
) -> None:
    """With --patience 0 a busy server is an answer, with the exit code for it."""
    server.state.fail_with = FakeStatus(8, "all places are taken", "UPLOADS_BUSY", "", (), 1)

    ran = tabard("publish", "acme/a", style_file, "--version", "1.0.0", "--patience", "0")

    assert (ran.code, len(server.state.requests)) == (6, 1)
    assert "waiting" not in ran.err
