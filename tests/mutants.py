# SPDX-License-Identifier: Apache-2.0
"""Tabard with one rule taken out: whoever looks for damage must see what comes of it.

A mutant is code that replaces the real one for the time of a `with`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One rule taken out.

    Attributes:
        says: The mistaken belief.
        damage: What is said, among other things, about what comes of it.
        patches: Where the rule lives, which attribute it is, and what that becomes.
    """

    says: str
    damage: str
    patches: tuple[tuple[object, str, Callable[..., Any]], ...]


@contextmanager
def installed(mutant: Mutant | None) -> Iterator[None]:
    """Take the rule out while the block runs; None takes nothing out."""
    with ExitStack() as stack:
        for target, name, replacement in mutant.patches if mutant else ():
            stack.enter_context(patch.object(target, name, replacement))
        yield
