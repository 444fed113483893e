# SPDX-License-Identifier: Apache-2.0
"""Words from a closed set, and the one that was probably meant by another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import click
from click.core import ParameterSource


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that a mistyped one is most like, if any is near."""
    import difflib  # noqa: PLC0415 - only mistakes need it

    by_folded = {one.lower(): one for one in known}
    found = difflib.get_close_matches(word.lower(), by_folded, n=1)
    return by_folded[found[0]] if found else None


def refuse_beside(option: str, *others: str, because: str) -> None:
    """Refuse options that another one leaves without effect, where somebody said them.

    Args:
        option: The one that is said.
        others: Parameters of the command.
        because: Why they would have no effect.

    Raises:
        UsageError: One of them is said.
    """
    for name in _said(others):
        raise click.UsageError(f"{name} says nothing to {option}, {because}: leave one out")


def refuse_without(option: str, *others: str) -> None:
    """Refuse options that count only beside another one, which is not said.

    Args:
        option: The one that is missing.
        others: Parameters of the command.

    Raises:
        UsageError: One of them is said.
    """
    for name in _said(others):
        raise click.UsageError(f"{name} says nothing without {option}: add it, or leave it out")


def _said(names: Iterable[str]) -> Iterator[str]:
    """Yield those of these parameters that somebody said, as they are written."""
    context = click.get_current_context()
    asked = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)
    for parameter in context.command.params:
        if parameter.name in names and context.get_parameter_source(parameter.name) in asked:
            yield max(parameter.opts, key=len)


class Named(click.Choice[str]):
    """A choice whose error names the word that was probably meant."""

    def __init__(self, names: Iterable[str]) -> None:
        """Take the words; upper and lower case are one."""
        super().__init__(tuple(names), case_sensitive=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the word as it is known."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            near = nearest(str(value), self.choices)
            if near is None:
                raise
            self.fail(f"{error.message} Did you mean '{near}'?", param, ctx)
