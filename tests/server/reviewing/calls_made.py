# SPDX-License-Identifier: Apache-2.0
"""Which functions a piece of work calls, in their order: the same work makes the same calls."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

MODULES = ("tabard", "PIL", "starlette.responses")


@contextmanager
def calls_made(modules: tuple[str, ...] = MODULES) -> Iterator[list[str]]:
    """Note the calls of this thread into some modules for the length of a block."""
    made: list[str] = []

    def note(frame: FrameType, event: str, _value: Any) -> None:
        name = str(frame.f_globals.get("__name__", ""))
        if event == "call" and name.startswith(modules):
            made.append(f"{name}.{frame.f_code.co_qualname}")

    before: Callable[..., Any] | None = sys.getprofile()
    sys.setprofile(note)
    try:
        yield made
    finally:
        sys.setprofile(before)
