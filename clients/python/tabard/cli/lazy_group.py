# SPDX-License-Identifier: Apache-2.0
"""A group of commands that are imported when they are asked for; its help imports none of them.

A folder of commands lists them in its table `COMMANDS`: name to the first sentence of the help. Its
`TITLE`, if it has one, is the heading below which the help shows them.
"""

from __future__ import annotations

import builtins
import importlib
import keyword
from typing import Any

import click

from tabard.cli.choices import nearest


class CommandGroup(click.Group):
    """A group whose help cuts no sentence, and which guesses what an unknown command meant."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the group's own options, as click does; say where those of commands stand."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            place = f"{ctx.command_path} COMMAND {error.option_name}"
            message = f"{error.message} Options stand behind the command: {place}."
            raise click.NoSuchOption(
                error.option_name, message, possibilities=error.possibilities, ctx=ctx
            ) from error

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command of a command line, as click does."""
        word = args[0]
        is_command = word[:1].isalnum() and not ctx.resilient_parsing
        if is_command and self.get_command(ctx, word) is None:
            ctx.fail(f"No such command '{word}'. {self._meant(word, ctx=ctx)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands below their titles, each sentence whole."""
        widest = max(map(len, self.commands))
        for title, names in self._titled(ctx).items():
            rows = [(name.ljust(widest), _sentence(self.commands[name])) for name in names]
            with formatter.section(title):
                formatter.write_dl(rows)

    def _titled(self, ctx: click.Context) -> dict[str, list[str]]:
        return {"Commands": self.list_commands(ctx)}

    def _meant(self, word: str, *, ctx: click.Context) -> str:
        """Name the nearest command, here or right below `tabard`; where none is near, all here."""
        near = nearest(word, self.commands)
        if near is not None:
            return f"Did you mean '{near}'?"
        top = ctx.find_root().command
        near = nearest(word, top.commands) if isinstance(top, click.Group) else None
        if near is not None:
            return f"Did you mean '{ctx.find_root().command_path} {near}'?"
        return f"There are: {', '.join(self.list_commands(ctx))}."


class LazyGroup(CommandGroup):
    """Holds a stand-in for every command, which knows its name and its sentence."""

    def __init__(self, *arguments: Any, folders: tuple[str, ...], **options: Any) -> None:
        """Take the packages whose modules are the commands."""
        super().__init__(*arguments, **options)
        self._folder_of: dict[str, str] = {}
        self._titles: dict[str, list[str]] = {}
        for folder in folders:
            module = importlib.import_module(folder)
            title = getattr(module, "TITLE", "Commands")
            self._titles.setdefault(title, []).extend(module.COMMANDS)
            for name, sentence in module.COMMANDS.items():
                self._folder_of[name] = folder
                self.add_command(click.Command(name, help=sentence))

    def loaded(self, name: str) -> click.Command:
        """Import a command: in a file of its name, under its name."""
        is_python = keyword.iskeyword(name) or hasattr(builtins, name)
        word = f"{name}_" if is_python else name
        command = getattr(importlib.import_module(f"{self._folder_of[name]}.{word}"), word)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command of a command line, and import it."""
        name, stand_in, rest = super().resolve_command(ctx, args)
        return name, self.loaded(name) if name else stand_in, rest

    def _titled(self, ctx: click.Context) -> dict[str, list[str]]:
        return self._titles


def _sentence(command: click.Command) -> str:
    return command.get_short_help_str(limit=999)
