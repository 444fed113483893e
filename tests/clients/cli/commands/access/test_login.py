# SPDX-License-Identifier: Apache-2.0
"""`tabard login`: a server and a token for it, kept where nobody else reads them."""

import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tabard.access.profiles import Profile, read_profiles
from tests.clients.cli.conftest import Tabard
from tests.clients.fakes.authority import Authority
from tests.clients.fakes.server import FakeServer
from tests.clients.fakes.state import FakeStatus

SECRET = "tabard_01234567_0123456789ab_5ec2e7"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Give where profiles are kept in these tests."""
    return tmp_path / "config-home" / "tabard" / "config.toml"


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    """Keep a token in a file."""
    (tmp_path / "token").write_text(f"{SECRET}\n")
    return tmp_path / "token"


def say(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Put a text into standard input."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


def test_login_keeps_server_and_token(
    tabard: Tabard,
    server: FakeServer,
    config: Path,
    token_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From then on nothing has to be said."""
    ran = tabard("login", "--address", server.address, "--token-file", token_file)
    monkeypatch.delenv("TABARD_ADDRESS")
    again = tabard("whoami", "--json")

    assert (ran.code, "ann" in ran.out) == (0, True)
    assert config.stat().st_mode & 0o777 == 0o600
    assert read_profiles(config) == {"default": Profile(address=server.address, token=SECRET)}
    assert again.document["name"] == "ann"
    assert server.state.metadata[-1]["authorization"] == f"Bearer {SECRET}"


def test_token_comes_from_standard_input(
    tabard: Tabard, server: FakeServer, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a pipe gives it, into a profile of a name; with --json nothing shows it."""
    say(monkeypatch, f"{SECRET}\n")

    ran = tabard("login", "--profile", "staging", "--json")

    assert read_profiles(config)["staging"] == Profile(address=server.address, token=SECRET)
    assert (ran.document["profile"], ran.document["identity"]["name"]) == ("staging", "ann")
    assert "5ec2e7" not in ran.out + ran.err
    assert tabard("whoami", "--profile", "staging", "--json").document["name"] == "ann"


def test_token_is_typed_without_an_echo(server: FakeServer, tmp_path: Path) -> None:
    """On a terminal it is asked for, and not shown."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "tabard", "login", "--address", server.address],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        start_new_session=True,
        env={**os.environ, "XDG_CONFIG_HOME": str(tmp_path)},
    ) as running:
        os.close(theirs)
        shown = b""
        while b"token:" not in shown:
            shown += os.read(ours, 1024)
        os.write(ours, f"{SECRET}\n".encode())
        answer, _ = running.communicate(timeout=60)
    shown += _rest_of(ours)

    assert (running.returncode, b"ann" in answer) == (0, True)
    assert b"5ec2e7" not in shown + answer
    assert read_profiles(tmp_path / "tabard" / "config.toml")["default"].token == SECRET


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "is empty"), ("\n", "is empty"), ("a\nb\n", "line break"), ("x" * 9000, "longer than")],
    ids=["nothing", "line", "lines", "long"],
)
def test_what_is_no_token_is_not_kept(
    tabard: Tabard, config: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    """Nor is anything else."""
    say(monkeypatch, text)

    ran = tabard("login")

    assert (ran.code, said in ran.err) == (7, True)
    assert not config.exists()


def test_unknown_token_is_not_kept(
    tabard: Tabard, server: FakeServer, config: Path, token_file: Path
) -> None:
    """The server is asked first; what was kept before stays."""
    tabard("login", "--token-file", token_file)
    before = read_profiles(config)
    server.state.fail_with = FakeStatus(16, "there is no such token", "TOKEN_UNKNOWN", "ask")
    token_file.write_text("other")

    ran = tabard("login", "--token-file", token_file)

    assert (ran.code, read_profiles(config)) == (7, before)


def test_second_login_keeps_the_server(
    tabard: Tabard,
    server: FakeServer,
    config: Path,
    token_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A new token for the same server need not say where that is."""
    tabard("login", "--token-file", token_file)
    monkeypatch.setenv("TABARD_ADDRESS", "elsewhere.example:1")
    token_file.write_text("newer")

    ran = tabard("login", "--token-file", token_file)

    assert ran.code == 0
    assert read_profiles(config)["default"] == Profile(address=server.address, token="newer")


def test_certificate_needs_no_token(
    tabard: Tabard,
    authority: Authority,
    config: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Names of files are kept so that they are found from everywhere; a CA of a variable, too."""
    pair, folder = authority.sign("bob"), authority.ca.parent
    credentials = authority.sign("server").server_credentials(client_ca=authority.ca)
    monkeypatch.setenv("TABARD_TLS_CA", str(authority.ca))
    monkeypatch.chdir(folder)

    with FakeServer(credentials) as server:
        files = ("--certificate", pair.certificate.name, "--key", pair.key.name)
        ran = tabard("login", "--address", f"grpcs://{server.address}", *files)
        monkeypatch.chdir(tmp_path)
        monkeypatch.delenv("TABARD_TLS_CA")
        monkeypatch.delenv("TABARD_ADDRESS")
        again = tabard("whoami", "--json")

    kept = read_profiles(config)["default"]
    assert (ran.code, again.document["name"]) == (0, "bob")
    assert (kept.token, kept.tls_ca) == ("", str(authority.ca))
    assert kept.certificate_files == (str(pair.certificate), str(pair.key))


def test_insecure_is_kept(tabard: Tabard, config: Path, token_file: Path) -> None:
    """Who gives up secrecy says it once; without the word nothing is sent."""
    refused = tabard("login", "--address", "styles.example:1", "--token-file", token_file)

    assert (refused.code, "TOKEN_OVER_PLAIN" in refused.err) == (4, True)
    assert "tabard login --insecure" in refused.err
    assert not config.exists()


@pytest.mark.parametrize(
    "arguments", [("--certificate", "a"), ("--key", "a"), ("--profile", "a b"), ("--profile", "")]
)
def test_wrong_usage_keeps_nothing(
    tabard: Tabard, config: Path, arguments: tuple[str, ...]
) -> None:
    """A certificate without its key, and names that no profile has."""
    assert tabard("login", *arguments).code in (2, 4)
    assert not config.exists()


def test_open_file_is_not_added_to(tabard: Tabard, config: Path, token_file: Path) -> None:
    """What others can read is mended first."""
    tabard("login", "--token-file", token_file)
    config.chmod(0o644)

    ran = tabard("login", "--token-file", token_file)

    assert (ran.code, "CONFIG_NOT_PRIVATE" in ran.err) == (4, True)


def test_user_without_a_home_is_told(
    tabard: Tabard, token_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is nowhere to keep anything."""
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.delenv("HOME", raising=False)

    ran = tabard("login", "--token-file", token_file)

    assert (ran.code, "CONFIG_HOMELESS" in ran.err) == (5, True)


def _rest_of(descriptor: int) -> bytes:
    found = b""
    try:
        while part := os.read(descriptor, 1024):
            found += part
    except OSError:  # so a terminal ends that nobody holds any more
        pass
    finally:
        os.close(descriptor)
    return found


def test_login_waits_as_long_as_is_said(
    tabard: Tabard, server: FakeServer, token_file: Path
) -> None:
    """For a server that is busy, and says so meanwhile."""
    server.state.fail_with = FakeStatus(8, "all places are taken", "CALLS_BUSY", "", (), 0.01)
    arguments = ("login", "--address", server.address, "--token-file", token_file)

    server.state.fail_times = 1
    waited = tabard(*arguments)
    server.state.fail_times = 1
    refused = tabard(*arguments, "--patience", "0")

    assert (waited.code, "waiting" in waited.err) == (0, True)
    assert (refused.code, "CALLS_BUSY" in refused.err) == (6, True)


def test_plain_token_is_told_in_options(tabard: Tabard, token_file: Path) -> None:
    """A flag has no value."""
    ran = tabard("login", "--address", "styles.example:50051", "--token-file", token_file)

    assert ran.code == 4
    assert "--insecure, once" in ran.err and "True" not in ran.err


def test_unwritable_profiles_are_told(
    tabard: Tabard,
    server: FakeServer,
    token_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the file, and how to keep it elsewhere."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))

    ran = tabard("login", "--address", server.address, "--token-file", token_file)

    assert (ran.code, "FOLDER_UNWRITABLE" in ran.err) == (5, True)
    assert "config.toml cannot be written" in ran.err and "XDG_CONFIG_HOME" in ran.err
