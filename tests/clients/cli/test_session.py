# SPDX-License-Identifier: Apache-2.0
"""Every command has the same options for where, as whom and how it speaks."""

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tabard import Client
from tabard.access.profiles import Profile, write_profiles
from tabard.cli.session import Session, together, with_session
from tests.clients.cli.conftest import Tabard
from tests.clients.fakes.authority import Authority
from tests.clients.fakes.server import FakeServer
from tests.clients.fakes.state import FakeStatus

SEEN: list[Session] = []


@click.command()
@with_session
def probe(session: Session) -> None:
    """Keep the session that a command is given."""
    SEEN.append(session)


@pytest.fixture
def session_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> type[CliRunner]:
    """Leave the environment out of it."""
    for name in ("TABARD_ADDRESS", "TABARD_PROFILE", "TABARD_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    SEEN.clear()
    return CliRunner


def test_options_say_which_server_and_who(session_of: type[CliRunner]) -> None:
    """What is said on the command line goes to the client; what is not said is left to it."""
    session_of().invoke(probe, [])
    session_of().invoke(probe, ["--address", "here:2", "--token-file", "t", "--json"])

    nothing = dict.fromkeys(("address", "profile", "token_file", "tls_ca"))
    assert [one.access for one in SEEN] == [
        nothing,
        nothing | {"address": "here:2", "token_file": "t"},
    ]
    assert [one.output.is_json for one in SEEN] == [False, True]


def test_secret_is_no_option(session_of: type[CliRunner]) -> None:
    """Everybody on a machine can read command lines."""
    assert session_of().invoke(probe, ["--token", "secret"]).exit_code == 2
    assert not SEEN


def test_server_is_named_somewhere(
    session_of: type[CliRunner], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By an option, a variable, or the profile that somebody logged in with."""
    named: list[bool] = []
    session_of().invoke(probe, ["--address", ""])
    named.append(SEEN[-1].names_a_server)
    session_of().invoke(probe, ["--address", "a:1"])
    named.append(SEEN[-1].names_a_server)
    session_of().invoke(probe, ["--profile", "staging"])
    named.append(SEEN[-1].names_a_server)
    session_of().invoke(probe, [])
    write_profiles(tmp_path / "tabard" / "config.toml", {"default": Profile(address="a:1")})
    named.append(SEEN[-1].names_a_server)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    monkeypatch.setenv("TABARD_ADDRESS", "there:1")
    named.append(SEEN[-1].names_a_server)

    assert named == [False, True, True, True, True]


def test_command_line_says_what_stands_between(
    tabard: Tabard, tls_server: FakeServer, stranger: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the exit code of those who are not known, and that of a wrong value."""
    plain = tabard("whoami", "--address", tls_server.address)
    tls = f"grpcs://{tls_server.address}"
    unknown = tabard("whoami", "--address", tls, "--tls-ca", stranger.ca)
    monkeypatch.setenv("TABARD_TLS_CA", "/nowhere")
    missing = tabard("whoami", "--address", tls)

    assert (plain.code, unknown.code, missing.code) == (7, 7, 4)
    assert plain.err.startswith(f"error: the server at {tls_server.address} speaks TLS only\n")
    assert "not signed by the CA" in unknown.err
    assert "'/nowhere' of the CA cannot be read" in missing.err


def test_process_speaks_in_our_words_alone(tls_server: FakeServer, tmp_path: Path) -> None:
    """What gRPC's core writes of a failed handshake does not stand beside it."""
    arguments = (
        sys.executable,
        "-m",
        "tabard",
        "whoami",
        "--address",
        f"grpcs://{tls_server.address}",
    )
    environ = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path)}
    environ.pop("TABARD_TLS_CA", None)

    done = subprocess.run(arguments, capture_output=True, text=True, check=False, env=environ)

    assert done.returncode == 7
    assert [line.partition(":")[0] for line in done.stderr.splitlines()] == [
        "error",
        "reason",
        "hint",
    ]


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (None, 4, "cannot be read"),
        ("", 7, "is empty"),
        ("a\nb", 7, "has a line break"),
        ("a b", 7, "has spaces"),
    ],
)
def test_broken_token_file_is_told(
    tabard: Tabard, tmp_path: Path, content: str | None, code: int, said: str
) -> None:
    """In one sentence, which names the file."""
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content)

    ran = tabard("list", "--token-file", file)

    assert (ran.code, ran.err.startswith("error: the token")) == (code, True)
    assert said in ran.err and str(file) in ran.err and "hint: " in ran.err


def test_token_goes_nowhere_but_to_the_server(
    tabard: Tabard, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the loudest answer nor a failure shows it."""
    monkeypatch.setenv("TABARD_TOKEN", "tabard_0_5ec2e7")

    ran = [tabard("whoami", "-v"), tabard("whoami", "--json"), tabard("show", "acme/none", "-v")]
    ran.append(tabard("whoami", "--address", "styles.example:1", "--json"))

    assert [one.code for one in ran] == [0, 0, 3, 4]
    assert server.state.metadata[0]["authorization"] == "Bearer tabard_0_5ec2e7"
    assert not any("5ec2e7" in one.out + one.err for one in ran)
    assert "with a token" in ran[0].err


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
