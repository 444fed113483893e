# SPDX-License-Identifier: Apache-2.0
"""A shell that asks is told what the server knows, at once or not at all."""

import pytest
from click.shell_completion import ShellComplete, get_completion_class

from tabard.cli.completion import SHELLS
from tabard.cli.program import commands
from tests.clients.cli.conftest import Tabard


def offered(*arguments: str, begun: str = "") -> list[str]:
    """Ask as a shell does."""
    shell = ShellComplete(commands, {}, "tabard", "_TABARD_COMPLETE")
    return [one.value for one in shell.get_completions(list(arguments), begun)]


@pytest.mark.parametrize(
    ("arguments", "begun", "found"),
    [
        (("promote",), "", ["acme/watercolor"]),
        (("show",), "acme/w", ["acme/watercolor"]),
        (
            ("pull",),
            "acme/watercolor@",
            ["acme/watercolor@stable", "acme/watercolor@1.1.0", "acme/watercolor@1.0.0"],
        ),
        (("yank",), "acme/watercolor@1.1", ["acme/watercolor@1.1.0"]),
        (("generate", "x", "--adapter"), "acme/watercolor@s", ["acme/watercolor@stable"]),
        (("rollback", "acme/watercolor", "--channel"), "", ["stable"]),
        (("history", "--channel"), "st", ["stable"]),
        (("generate", "x", "--sampler"), "d", ["ddim"]),
        (("publish",), "acme/", ["acme/watercolor"]),
        (("show",), "other/", []),
    ],
)
@pytest.mark.usefixtures("published")
def test_server_is_asked(arguments: tuple[str, ...], begun: str, found: list[str]) -> None:
    """For names, refs, channels and samplers."""
    assert offered(*arguments, begun=begun) == found


def test_commands_and_options_complete(tabard: Tabard) -> None:
    """By click's own means."""
    assert offered(begun="quar") == ["quarantine"]
    assert "--sampler" in offered("generate", begun="--samp")
    assert offered("key", begun="tr") == ["trust"]


def test_known_words_are_offered() -> None:
    """Those of a closed set, without a server."""
    assert offered("generate", "--schedule", begun="s") == ["sgm_uniform", "simple"]


def test_server_that_is_named_is_asked(published: Tabard, monkeypatch: pytest.MonkeyPatch) -> None:
    """By --address as well as by the environment; where none answers, nothing is offered."""
    monkeypatch.setenv("TABARD_ADDRESS", "127.0.0.1:1")

    assert offered("show") == []


def test_unknown_adapter_offers_nothing(published: Tabard) -> None:
    """An error of the server is no message for a prompt."""
    assert offered("show", begun="acme/none@") == []


@pytest.mark.parametrize("said", ["foo_source", "bash", "bash_sauce"])
def test_unknown_shell_is_told_the_known(
    tabard: Tabard, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    """What the variable says is named, and every way to say it."""
    monkeypatch.setenv("_TABARD_COMPLETE", said)

    ran = tabard()

    assert (ran.code, ran.out) == (2, "")
    assert f"_TABARD_COMPLETE={said} names no shell" in ran.err
    assert all(f"_TABARD_COMPLETE={shell}_source" in ran.err for shell in SHELLS)


@pytest.mark.parametrize("shell", SHELLS)
def test_known_shells_are_those_of_click(shell: str) -> None:
    """Each has a class of its own."""
    assert get_completion_class(shell) is not None
