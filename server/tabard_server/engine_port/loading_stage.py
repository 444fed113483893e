# SPDX-License-Identifier: Apache-2.0
"""How far the loading of a base is: said by the engine, told by whoever watches the start."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage of a start, as it begins.

    Attributes:
        name: What is done now.
        size_bytes: What it reads or fills; 0: nothing that can be counted.
        done_bytes: What the stages before it read of the same whole.
        total_bytes: That whole.
    """

    name: str
    size_bytes: int = 0
    done_bytes: int = 0
    total_bytes: int = 0


Tell = Callable[[Stage], None]
"""Is told of every stage as it begins."""


def tell_nobody(_stage: Stage) -> None:
    """Watch nothing."""
