# SPDX-License-Identifier: Apache-2.0
"""`tabard config …`: the settings a server here would start with; needs the extra `server`."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

import click

from tabard.cli.commands.serve.serve import set_option
from tabard.cli.lazy_group import CommandGroup
from tabard.cli.local.extras import SERVER_EXTRA, missing_extra, reported_as_invalid
from tabard.cli.output import Output, table
from tabard.cli.session import with_output

_COLUMNS = 100
_PREAMBLE = """\
# Settings of a Tabard server, for `tabard serve --config FILE`: every name, its meaning and its
# default. Take the # away from a line and write another value. Variables, called TABARD_LISTEN or
# TABARD_LIMITS_STEPS_MAX, win over this file, and options over both.
"""

_file = click.argument(
    "file", metavar="[FILE]", required=False, type=click.Path(path_type=Path, dir_okay=False)
)


@click.group(cls=CommandGroup)
def config() -> None:
    """Show, check and write the settings of a server.

    Every command here takes --json.

    \b
    tabard config example > tabard.toml
    tabard config check tabard.toml
    tabard config show tabard.toml --set limits.steps_max=80
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is


@config.command()
@_file
@set_option
@with_output
def show(output: Output, *, file: Path | None, settings: Mapping[str, str]) -> None:
    """Show every setting, its value, who said it, and what it means; secrets are masked.

    Settings come from FILE, then TABARD_* variables, then --set; later ones win.
    """
    found = _explained(file=file, environment=os.environ, overrides=settings)
    rows = [(one.name, _written(one.value), one.source, one.meaning) for one in found]
    output.answer(found, table("setting", "value", "source", "meaning", rows=rows))


@config.command()
@_file
@set_option
@with_output
def check(output: Output, *, file: Path | None, settings: Mapping[str, str]) -> None:
    """Say whether a server would start with FILE, the TABARD_* variables and --set.

    It looks for the base, and at the form of the registry's address. What either holds, whether the
    device is here and whether the ports are free is seen at a start. The exit code is 0 or 4.
    """
    with missing_extra(SERVER_EXTRA, needed_for="tabard config"):
        prelude: Any = importlib.import_module("tabard_server.startup.prelude")
        errors: Any = importlib.import_module("tabard_server.errors")
    with reported_as_invalid(errors.BadSettings):
        prelude.check(file=file, environment=os.environ, overrides=settings)
    found = _explained(file=file, environment=os.environ, overrides=settings)
    said = sum(one.source != "default" for one in found)
    output.answer(
        {"accepted": True, "settings_said": said},
        f"a server would start with these settings: {said} set, {len(found) - said} as by default",
    )


@config.command()
@with_output
def example(output: Output) -> None:
    """Write a TOML file with every setting, its meaning and its default, all commented out."""
    text = _PREAMBLE + "\n".join(_example(_explained()))
    output.answer({"toml": text}, *text.splitlines())


def _explained(**sources: Any) -> Sequence[Any]:
    with missing_extra(SERVER_EXTRA, needed_for="tabard config"):
        library: Any = importlib.import_module("tabard_server.settings_sources")
        errors: Any = importlib.import_module("tabard_server.errors")
    with reported_as_invalid(errors.BadSettings):
        found: Sequence[Any] = library.explain_settings(**sources)
    return found


def _example(settings: Sequence[Any]) -> Iterator[str]:
    current = ""
    for one in settings:
        section, _dot, name = one.name.rpartition(".")
        if section != current:
            yield f"\n[{section}]"
            current = section
        yield ""
        yield from wrap(one.meaning, _COLUMNS, initial_indent="# ", subsequent_indent="# ")
        yield f"#{name} = {_written(one.value)}"


def _written(value: Any) -> str:
    return "unset" if value is None else json.dumps(value, ensure_ascii=False)
