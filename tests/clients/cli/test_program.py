# SPDX-License-Identifier: Apache-2.0
"""The program as a whole: help for everything, exit codes for every error, errors that help."""

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from tabard.cli import exit_codes
from tabard.cli.program import commands
from tests.clients.cli.conftest import Tabard
from tests.clients.fakes.server import FakeServer

EXPECTED = {
    "backup",
    "check",
    "checkpoint",
    "config",
    "demo",
    "doctor",
    "drain",
    "extract",
    "fsck",
    "gc",
    "generate",
    "history",
    "import",
    "key",
    "lift",
    "list",
    "promote",
    "publish",
    "pull",
    "purge",
    "quarantine",
    "recipe",
    "restore",
    "rollback",
    "search",
    "serve",
    "show",
    "sign",
    "status",
    "unyank",
    "warm",
    "watch",
    "yank",
}


def test_commands_are_the_documented_ones() -> None:
    """No command more, no command less."""
    assert set(commands.commands) == EXPECTED


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_every_command_has_help(tabard: Tabard, name: str) -> None:
    """Help exits 0 and names every option, each with its own help; `--json` is one of them."""
    ran = tabard(name, "--help")

    command = commands.loaded(name)
    options = [option for option in command.params if isinstance(option, click.Option)]
    assert (ran.code, ran.err) == (0, "")
    assert command.help
    assert "--json" in ran.out
    assert all(option.opts[0] in ran.out for option in options)
    assert [option.name for option in options if not option.help] == []


def test_help_shows_exit_codes(tabard: Tabard) -> None:
    """The table of exit codes and the environment are in the help."""
    ran = tabard("--help")

    assert all(meaning in ran.out for meaning in exit_codes.MEANINGS.values())
    assert "TABARD_ADDRESS" in ran.out


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("publish", "a/b"),
        ("rollback", "a/b"),
        ("generate", "x", "--size", "64"),
        ("generate", "x", "--count", "0"),
        ("serve", "--set", "nonsense"),
        ("check", "x.safetensors", "--kind", "poem"),
    ],
)
def test_wrong_usage_exits_two(tabard: Tabard, arguments: tuple[str, ...]) -> None:
    """A wrong command line is told apart from a wrong request."""
    ran = tabard(*arguments)

    assert (ran.code, ran.out) == (2, "")
    assert "Error" in ran.err


def test_nobody_listening_exits_six(tabard: Tabard) -> None:
    """The error names the address that was tried."""
    ran = tabard("warm", "a/b", "--address", "127.0.0.1:1")

    assert ran.code == 6
    assert "127.0.0.1:1" in ran.err


def test_unwritable_output_is_told(tabard: Tabard) -> None:
    """A file problem is an error line, not a traceback."""
    ran = tabard("generate", "x", "--out", "/proc/nowhere")

    assert ran.code == 1
    assert ran.err.startswith("error: ")


def test_module_runs_as_program() -> None:
    """`python -m tabard` is `tabard`."""
    done = subprocess.run(
        [sys.executable, "-m", "tabard", "--version"], capture_output=True, text=True, check=True
    )

    assert done.stdout.startswith("tabard, version ")


HEAVY = {"boto3", "diffusers", "numpy", "tabard_registry", "tabard_server", "torch", "transformers"}
UNUSED_BY_HELP = {"PIL", "google", "grpc", "rich"}
HELP_MODULES_MAX = 200
"""A third more than it is; importing every command made it 400."""


def _loaded_by(*arguments: str, address: str = "") -> set[str]:
    """Run a command line in a fresh process; return the modules it has loaded at its end."""
    program = (
        "import sys; from tabard.cli import run; code = run(sys.argv[1:]);"
        "print(*sys.modules, file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "TABARD_ADDRESS": address},
    )
    return set(done.stderr.splitlines()[-1].split())


def test_help_loads_almost_nothing() -> None:
    """Neither what is heavy, nor what speaks to a server, nor what draws tables."""
    loaded = _loaded_by("--help")

    assert loaded & (HEAVY | UNUSED_BY_HELP) == set()
    assert len(loaded) <= HELP_MODULES_MAX


@pytest.mark.parametrize(
    "arguments",
    [
        ("list",),
        ("show", "acme/watercolor@1.0.0"),
        ("promote", "acme/watercolor@1.0.0"),
        ("yank", "acme/watercolor@1.0.0", "--reason", "r"),
        ("history",),
        ("status",),
        ("generate", "x", "--adapter", "acme/watercolor"),
        ("publish", "acme/other", "other.safetensors", "--version", "1.0.0"),
        ("check", "other.safetensors"),
        ("pull", "acme/watercolor@1.0.0"),
        ("import", ".", "--namespace", "mine", "--dry-run"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_commands_of_a_server_stay_light(
    published: Tabard,
    server: FakeServer,
    other_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
) -> None:
    """What speaks to a server needs no package of the server's side."""
    monkeypatch.chdir(other_file.parent)

    loaded = _loaded_by(*arguments, address=server.address)

    assert "grpc" in loaded
    assert loaded & HEAVY == set()
