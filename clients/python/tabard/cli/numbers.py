# SPDX-License-Identifier: Apache-2.0
"""Numbers with bounds, called in help and errors what people call them."""

import math
from typing import Any

import click

WHOLE_MAX = (1 << 63) - 1
"""The largest that is taken where nothing says another: Python counts no further."""


class Whole(click.IntRange):
    """A whole number within bounds; click calls its own "a valid integer range"."""

    name = "integer"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number; one that nobody can count to is out of every range."""
        number = super().convert(value, param, ctx)
        if self.max is None and number > WHOLE_MAX:
            self.fail(f"{number} is not in the range x<={WHOLE_MAX}.", param, ctx)
        return number


class Number(click.FloatRange):
    """A number within bounds; click calls its own "a valid float range"."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number; `nan` is within no bounds, though click lets it pass."""
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is not a valid number.", param, ctx)
        return number

    def _describe_range(self) -> str:
        return "" if self.min is None and self.max is None else super()._describe_range()


class Several(click.ParamType[Any]):
    """Numbers in one word, divided by commas; none of them twice."""

    def __init__(self, each: Whole | Number) -> None:
        """Take what each of them is."""
        self._each = each
        self.name = f"{each.name}s"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return them in their order."""
        if not isinstance(value, str):
            return tuple(value)
        parts = [part.strip() for part in value.split(",")]
        return tuple(dict.fromkeys(self._each.convert(part, param, ctx) for part in parts))
