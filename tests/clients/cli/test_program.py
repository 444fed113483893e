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
    "canary",
    "check",
    "checkpoint",
    "choose",
    "compare",
    "config",
    "demo",
    "diff",
    "doctor",
    "drain",
    "edit",
    "evaluate",
    "evidence",
    "extract",
    "fsck",
    "gc",
    "generate",
    "grid",
    "history",
    "import",
    "job",
    "key",
    "lift",
    "list",
    "login",
    "logout",
    "lookup",
    "policy",
    "promote",
    "publish",
    "pull",
    "purge",
    "quarantine",
    "recipe",
    "references",
    "replay",
    "report",
    "restore",
    "review",
    "reviews",
    "rollback",
    "search",
    "serve",
    "show",
    "sign",
    "status",
    "token",
    "top",
    "unyank",
    "vote",
    "warm",
    "watch",
    "web",
    "whoami",
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


def test_help_shows_commands_in_groups(tabard: Tabard) -> None:
    """By what people come for, and every sentence whole."""
    page = tabard("--help").out
    words = " ".join(page.split())

    titles = ["Serve:", "Publish:", "Release:", "Generate:", "Access:", "Look after:"]
    assert [line for line in page.splitlines() if line in titles] == titles
    assert all(str(one.help) in words for one in commands.commands.values())


@pytest.mark.parametrize(
    ("arguments", "field", "meant"),
    [
        (("pubish",), [], "Did you mean 'publish'?"),
        (("generate", "x", "--samplr", "ddim"), [], "Did you mean '--sampler'?"),
        (
            ("generate", "x", "--prompt-syntax", "a111"),
            ["--prompt-syntax"],
            "'a111' is not one of 'plain', 'a1111'. Did you mean 'a1111'?",
        ),
        (("history", "--since", "yesterdy"), ["--since"], "did you mean 'yesterday'?"),
        (("rollback", "acme/ink"), ["--reason"], ""),
        (("warm",), ["ref"], ""),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_usage_errors_are_documents(
    tabard: Tabard, arguments: tuple[str, ...], field: list[str], meant: str
) -> None:
    """With --json: which field, what is wrong, and what was probably meant."""
    ran = tabard(*arguments, "--json")

    error = ran.document["error"]
    assert (ran.code, error["exit_code"], error["reason"]) == (2, 2, "USAGE")
    assert [one["field"] for one in error["violations"]] == field
    assert meant in error["message"]
    assert len(ran.out.splitlines()) == 1


def test_text_behind_two_dashes_is_no_option(tabard: Tabard) -> None:
    """A prompt may be called --json."""
    ran = tabard("warm", "--", "--json", "more")

    assert (ran.code, ran.out) == (2, "")


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

    assert ran.code == 5
    assert ran.err.startswith("error: ")


def test_module_runs_as_program() -> None:
    """`python -m tabard` is `tabard`."""
    done = subprocess.run(
        [sys.executable, "-m", "tabard", "--version"], capture_output=True, text=True, check=True
    )

    assert done.stdout.startswith("tabard, version ")


def test_process_ends_without_a_search_for_garbage() -> None:
    """What is loaded goes with the process."""
    program = (
        "import atexit, gc; from tabard.cli import main;"
        "atexit.register(lambda: print(gc.get_freeze_count() > 10_000)); main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "--version"], capture_output=True, text=True, check=True
    )

    assert done.stdout.splitlines()[-1] == "True"


def test_process_that_is_asked_to_stop_tidies_up() -> None:
    """SIGTERM ends a command as Ctrl-C does, so that half a download does not stay."""
    program = (
        "import os, signal, time\n"
        "from tabard.cli import program\n"
        "def act(*_, **__):\n"
        "    try:\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "        time.sleep(60)\n"
        "    finally:\n"
        "        print('tidied up')\n"
        "program.commands.main = act\n"
        "program.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    assert (done.stdout, done.stderr) == ("tidied up\n", "interrupted\n")
    assert done.returncode == 130


REMOTE_MODULES_MAX = 335
"""A tenth more than the most that a command loads; Python, gRPC and click alone are 186."""
HEAVY = {"boto3", "diffusers", "numpy", "tabard_registry", "tabard_server", "torch", "transformers"}
UNUSED_BY_HELP = {"PIL", "google", "grpc", "rich", "tabard.client", "tabard.v1"}
UNUSED_WITHOUT_PROFILES = {"tomllib", "tabard.access.handshake"}
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
        ("whoami",),
        ("token", "list"),
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
    assert loaded & (HEAVY | UNUSED_WITHOUT_PROFILES | {"rich", "tabard.aio"}) == set()
    if arguments[0] not in ("generate", "import"):
        assert loaded & {"PIL", "tabard.rpc_errors"} == set()
        assert len(loaded) <= REMOTE_MODULES_MAX


@pytest.mark.parametrize(
    ("arguments", "stubs", "verbs"),
    [
        (("list",), {"registry_service_pb2"}, {"registry"}),
        (("history",), {"registry_service_pb2"}, {"records"}),
        (("promote", "acme/watercolor@1.0.0"), {"registry_service_pb2"}, {"acts"}),
        (("show", "acme/watercolor@1.0.0"), {"registry_service_pb2"}, {"registry"}),
        (("status",), {"operations_service_pb2"}, {"operations"}),
        (("whoami",), {"identity_service_pb2"}, {"identity"}),
    ],
    ids=lambda one: one[0] if isinstance(one, tuple) else "",
)
def test_command_loads_what_it_asks_for(
    published: Tabard,
    server: FakeServer,
    arguments: tuple[str, ...],
    stubs: set[str],
    verbs: set[str],
) -> None:
    """The stubs of one service, and the verbs of one kind."""
    loaded = _loaded_by(*arguments, address=server.address)

    of = {
        folder: {
            name.removeprefix(f"tabard.{folder}.")
            for name in loaded
            if name.startswith(f"tabard.{folder}.")
        }
        for folder in ("v1", "calls")
    }
    assert of == {"v1": stubs | {"adapter_pb2"}, "calls": verbs | {"call", "method"}}


def test_missing_place_names_its_variable(tabard: Tabard, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an argument and of an option, whatever click calls them."""
    monkeypatch.delenv("TABARD_REGISTRY", raising=False)

    argument, option = tabard("fsck"), tabard("key", "list")

    assert "Missing argument 'URL'. Give it, or set TABARD_REGISTRY." in argument.err
    assert "Missing option '--registry'. Give it, or set TABARD_REGISTRY." in option.err
    assert "Missing argument 'FOLDER'." in tabard("backup").err


def test_what_the_system_says_names_the_file_first(
    tabard: Tabard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What no command foresaw: not as Python writes it, with a number and quotes."""

    def fail(*_arguments: object, **_options: object) -> None:
        raise NotADirectoryError(20, "Not a directory", "file/below")

    monkeypatch.setattr(commands, "main", fail)

    ran = tabard("whoami")

    assert (ran.code, ran.err) == (1, "error: file/below: Not a directory\n")
