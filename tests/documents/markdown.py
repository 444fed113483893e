# SPDX-License-Identifier: Apache-2.0
"""What can be run of a document: its fenced blocks in order, and what it mentions in a line.

Pure functions of text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_FENCE = re.compile(r"^```(?P<language>\S*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """A fenced block: what language it says, its text, and the line its text begins at."""

    language: str
    text: str
    line: int


def fences(document: str) -> list[Fence]:
    """Return the fenced blocks of a document, in order."""
    return [
        Fence(
            language=found["language"],
            text=found["text"],
            line=document.count("\n", 0, found.start()) + 2,
        )
        for found in _FENCE.finditer(document)
    ]


def mentions(document: str, *, program: str) -> Iterator[str]:
    """Give what a document says of a program in running text: its arguments, as they stand."""
    prose = _FENCE.sub("", document)
    for span in _SPAN.findall(prose):
        plain = span.replace("\\|", "|")
        for part in re.split(r"\s*(?:&&|;)\s*", plain):
            if part.startswith(f"{program} "):
                yield part.removeprefix(f"{program} ")
