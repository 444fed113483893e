# SPDX-License-Identifier: Apache-2.0
"""The options that publishing commands share say the same of a release everywhere."""

from typing import Any

import click
import pytest
from click.testing import CliRunner

from tabard.calls.uploads import UploadProgress
from tabard.cli.commands.publish.options import FILES, KIND, TRIGGERS, uploaded_on, with_draft
from tabard.cli.output import Output


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
