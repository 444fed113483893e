# SPDX-License-Identifier: Apache-2.0
"""What documents say of `tabard` and `make` in running text: such commands and options exist."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tabard.cli.lazy_group import LazyGroup
from tabard.cli.program import commands
from tests.documents.markdown import mentions
from tests.documents.reader import documents
from tests.root import ROOT

TEXTS = [str(path.relative_to(ROOT)) for path in (*documents(), ROOT / "ARCHITECTURE.md")]


def wrong(usage: str) -> Iterator[str]:
    """Say what of a usage the command line would not understand.

    Brackets, bars and dots of a usage (`[--to VERSION]`, `a|b`, `…`) stand for themselves or less.
    """
    words = shlex.split(re.sub(r"[\[\]]", " ", usage.replace("'", "'")), comments=True)
    command: click.Command = commands
    while words and isinstance(command, click.Group):
        if words[0].startswith("-") or words[0].isupper():  # COMMAND stands for any of them
            break
        name = words.pop(0)
        names = name.split("|")
        found = [command.commands.get(one) for one in names]
        if None in found:
            yield f"there is no `tabard {usage}`: no command {name}"
            return
        command = command.loaded(names[0]) if isinstance(command, LazyGroup) else found[0]  # type: ignore[assignment]
    known = {
        flag
        for parameter in command.params
        for flag in (*parameter.opts, *parameter.secondary_opts)
    }
    known |= {"--help", "-h"}
    for word in words:
        flag = word.partition("=")[0]
        if flag.startswith("-") and flag != "-" and flag not in known:
            yield f"`tabard {usage}`: {command.name} has no {flag}"


@pytest.mark.parametrize("document", TEXTS)
def test_mentioned_commands_exist(document: str) -> None:
    """Every `tabard …` in backticks is a command, with options it has."""
    text = (ROOT / document).read_text(encoding="utf-8")

    found = [line for usage in mentions(text, program="tabard") for line in wrong(usage)]

    assert found == []


@pytest.mark.parametrize("document", TEXTS)
def test_mentioned_words_exist(document: str) -> None:
    """Every `make …` in backticks is a word of the Makefile."""
    words = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = (ROOT / document).read_text(encoding="utf-8")

    said = [
        word
        for usage in mentions(text, program="make")
        for word in shlex.split(usage)
        if re.fullmatch(r"[a-z-]+", word)
    ]

    assert set(said) <= words


@pytest.mark.parametrize(
    ("usage", "told"),
    [
        ("history [NAME] [--since T]", []),
        ("yank|quarantine REF", []),
        ("histroy", ["there is no `tabard histroy`: no command histroy"]),
        ("key trust acme --naem ann", ["`tabard key trust acme --naem ann`: trust has no --naem"]),
    ],
)
def test_wrong_usage_is_told(usage: str, told: list[str]) -> None:
    """A command or an option that is not there is named."""
    assert list(wrong(usage)) == told


def test_documents_are_found() -> None:
    """The list of documents is not empty, and has the README."""
    assert Path("README.md") in [path.relative_to(ROOT) for path in documents()]
