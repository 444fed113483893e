# SPDX-License-Identifier: Apache-2.0
"""The program as a whole: help for everything, exit codes for every error, errors that help."""

import subprocess
import sys

import click
import grpc
import pytest

from tabard import errors
from tabard.cli import exit_codes
from tabard.cli.program import commands
from tabard.rpc_errors import STATUS_TABLE
from tests.clients.cli.conftest import Tabard
from tests.clients.fakes.server import FakeServer
from tests.clients.fakes.state import FakeStatus

EXPECTED = {
    "check",
    "checkpoint",
    "config",
    "demo",
    "doctor",
    "drain",
    "export",
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

    command = commands.commands[name]
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


def test_every_error_has_exit_code() -> None:
    """Each class of the tree has a code of its own choosing, each code a meaning."""
    assert set(exit_codes.CODES) == set(STATUS_TABLE.values())
    assert set(exit_codes.CODES.values()) <= set(exit_codes.MEANINGS)
    assert exit_codes.exit_code(errors.TabardError("?")) == exit_codes.UNEXPECTED


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (grpc.StatusCode.NOT_FOUND, 3),
        (grpc.StatusCode.INVALID_ARGUMENT, 4),
        (grpc.StatusCode.ALREADY_EXISTS, 5),
        (grpc.StatusCode.FAILED_PRECONDITION, 5),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, 6),
        (grpc.StatusCode.DEADLINE_EXCEEDED, 6),
        (grpc.StatusCode.UNAUTHENTICATED, 7),
        (grpc.StatusCode.INTERNAL, 1),
    ],
)
def test_server_error_becomes_code(
    tabard: Tabard, server: FakeServer, code: grpc.StatusCode, expected: int
) -> None:
    """What the server says decides the exit code."""
    server.state.fail_with = FakeStatus(code.value[0], "it happened", "R")

    assert tabard("warm", "a/b").code == expected


def test_error_says_what_to_do(tabard: Tabard, server: FakeServer) -> None:
    """Message, fields, reason, hint and delay are told on stderr; stdout stays empty."""
    server.state.fail_with = FakeStatus(
        3, "it happened", "TOO_MANY", "ask for less", (("steps", "9000 is too many"),), 5
    )

    ran = tabard("generate", "x")

    assert ran.out == ""
    assert ran.err.splitlines() == [
        "error: it happened",
        "  steps: 9000 is too many",
        "reason: TOO_MANY",
        "hint: ask for less",
        "retry after: 5 s",
    ]


def test_restated_field_is_told_once(tabard: Tabard, server: FakeServer) -> None:
    """A field whose description is the message adds only its name."""
    server.state.fail_with = FakeStatus(3, "too many", "R", violations=(("steps", "too many"),))

    ran = tabard("generate", "x")

    assert ran.err.splitlines() == ["error: too many (steps)", "reason: R"]


def test_error_is_json_too(tabard: Tabard) -> None:
    """With `--json` stdout holds one document, also when it went wrong."""
    ran = tabard("show", "acme/none", "--json")

    assert ran.code == 3
    assert ran.document["error"]["reason"] == "ADAPTER_NOT_FOUND"
    assert ran.document["error"]["exit_code"] == 3
    assert "error: there is no adapter" in ran.err


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
