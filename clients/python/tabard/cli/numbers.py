# SPDX-License-Identifier: Apache-2.0
"""Numbers with bounds, called in help and errors what people call them."""

import click


class Whole(click.IntRange):
    """A whole number within bounds; click calls its own "a valid integer range"."""

    name = "integer"


class Number(click.FloatRange):
    """A number within bounds; click calls its own "a valid float range"."""

    name = "number"
