# SPDX-License-Identifier: Apache-2.0
"""The options that publishing commands share say the same of a release everywhere."""

from typing import Any

import click
import pytest
from click.testing import CliRunner

from tabard.calls.uploads import UploadProgress
from tabard.cli.commands.publish.options import (
    FILES,
    KIND,
    TRIGGERS,
    uploaded_on,
    with_base_words,
    with_draft,
)
from tabard.cli.output import Output
from tabard.cli.program import commands


@click.command()
@FILES
@with_draft
@TRIGGERS
@KIND
def probe(**options: Any) -> None:
    """Show what a command is given."""
    click.echo(repr(options))


def test_silence_is_the_empty_text() -> None:
    """What is not said goes to the server as not said, never as None."""
    ran = CliRunner().invoke(probe, ["x.pt", "--version", "1.0.0"])

    assert "None" not in ran.output
    assert "'kind': ''" in ran.output
    assert "'purpose': ''" in ran.output


@pytest.mark.parametrize("name", ["--licence", "--license"])
def test_licence_has_two_spellings(name: str) -> None:
    """Both are the same option."""
    ran = CliRunner().invoke(probe, ["x.pt", "--version", "1.0.0", name, "MIT"])

    assert "'licence': 'MIT'" in ran.output


@pytest.mark.parametrize("wrong", [["--kind", "recipe"], ["--kind", "poem"], ["--purpose", "fun"]])
def test_unknown_choice_is_a_usage_error(wrong: list[str]) -> None:
    """A recipe is no kind of file."""
    assert CliRunner().invoke(probe, ["x.pt", "--version", "1.0.0", *wrong]).exit_code == 2


def test_bar_follows_the_upload(monkeypatch: pytest.MonkeyPatch) -> None:
    """By bytes."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)

    with Output(is_json=False).progress("uploading", total=1) as bar:
        uploaded_on(bar)(UploadProgress(sent_bytes=3, total_bytes=9))

        assert (bar.bar.pos, bar.bar.length) == (3, 9)


@click.command()
@click.option("--base")
@with_base_words
def base_probe(**options: Any) -> None:
    """Show what a command is given."""
    click.echo(repr(options))


def test_words_of_a_base_are_one_mapping() -> None:
    """As a base is read by."""
    said = ["--base-family", "sd1", "--no-base-zero-snr", "--base-prediction", "epsilon"]

    ran = CliRunner().invoke(base_probe, ["--base", "demo", *said])

    words = {"prediction": "epsilon", "family": "sd1", "is_zero_snr": False}
    assert ran.output == f"{ {'base': 'demo', 'base_words': words} }\n".replace("{ ", "{")


def test_words_of_no_base_are_refused() -> None:
    """They would say nothing to a server."""
    assert CliRunner().invoke(base_probe, ["--base-family", "sd1"]).exit_code == 2


def test_every_command_that_reads_a_base_takes_its_words() -> None:
    """By the same options; a server has settings."""
    words = {"base_prediction", "base_zero_snr", "base_family"}
    names = {
        command: {str(one.name) for one in commands.loaded(command).params}
        for command in commands.commands
    }

    reading = {command for command, found in names.items() if "base" in found} - {"serve"}

    assert reading == {"check", "extract", "import"}
    assert {command for command in reading if not words <= names[command]} == set()
