# SPDX-License-Identifier: Apache-2.0
"""The options that commands of this folder share: which files, and what is said of a release."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from tabard.calls.uploads import UploadProgress
from tabard.cli.choices import Named
from tabard.cli.output import ProgressBar
from tabard.cli.session import Command, together
from tabard.enums import KINDS, PURPOSES


def _or_empty(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str:
    return value or ""


FILES = click.argument("named", nargs=-1, required=True, metavar="FILE…|FOLDER|HUB_ID")
KIND = click.option(
    "--kind",
    type=Named(KINDS),
    callback=_or_empty,
    help="Insist on a kind; read from the file when left out.",
)
TRIGGERS = click.option(
    "--trigger", "trigger_words", multiple=True, metavar="WORD", help="A trigger word; repeatable."
)

_base_words = together(
    click.option(
        "--base-prediction",
        type=click.Choice(["epsilon", "v_prediction"]),
        help="What the base's UNet predicts, where its files contradict each other.",
    ),
    click.option(
        "--base-zero-snr/--no-base-zero-snr",
        default=None,
        help="Whether its noise schedule ends in pure noise, likewise.",
    ),
    click.option(
        "--base-family",
        type=click.Choice(["sd1", "sd2", "sdxl", "sd3", "flux"]),
        help="Its family, likewise.",
    ),
)


def with_base_words(command: Command) -> Command:
    """Give a command what is said of a base that is read here, against its own words.

    It takes them as one mapping, `base_words`, beside `base`; a server has settings for them.
    """

    @_base_words
    @functools.wraps(command)
    def run(*given: Any, base: str | None, **options: Any) -> None:
        said = {name: options.pop(f"base_{name}") for name in ("prediction", "zero_snr", "family")}
        if base is None and any(value is not None for value in said.values()):
            raise click.UsageError("--base-… says what a base is that is read here: add --base")
        said["is_zero_snr"] = said.pop("zero_snr")
        command(*given, base=base, base_words=said, **options)

    return run


with_draft = together(
    click.option("--version", required=True, help="SemVer of the new release, e.g. 1.2.0."),
    click.option("--title", default="", help="What people call it, in any script; is searched."),
    click.option("--notes", default="", help="Free text shown with the release."),
    click.option("--licence", "--license", default="", help="SPDX id or free text."),
    click.option(
        "--purpose",
        type=Named(PURPOSES),
        callback=_or_empty,
        help="Why it exists.",
    ),
    click.option("--reason", default="", help="Why it is published; kept in the history."),
    click.option(
        "--preview",
        "previews",
        is_flag=True,
        help="Draw a few pictures of it, and keep them beside it.",
    ),
)
"""What is said of a new release of any kind."""


def uploaded_on(bar: ProgressBar) -> Callable[[UploadProgress], None]:
    """Give what moves a bar along an upload."""
    return lambda sent: bar.set(sent.sent_bytes, total=sent.total_bytes)
