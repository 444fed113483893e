# SPDX-License-Identifier: Apache-2.0
r"""Makes text of others safe for a terminal: what would steer it is shown, and never sent.

In: any text: of a server, a file, a name. Out: the same text, with control characters (of which ESC
begins every command of a terminal), overrides of direction, invisible characters and line
separators written as escapes, like `\x1b` and `\u202e`.
"""

from __future__ import annotations

import unicodedata

_JOINERS = "\u200c\u200d"
"""Several scripts and many emoji need them, and they move nothing."""
_STEERING = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def printable(text: str, *, lines: bool = False) -> str:
    """Return text that a terminal only shows; idempotent.

    Args:
        text: Anything.
        lines: Keep line breaks, where a layout gives the text lines of its own; tabs are spaces.
    """
    if text.isprintable():
        return text
    if lines:
        text = text.replace("\r\n", "\n").replace("\t", "  ")
    return "".join(
        char if is_shown(char) or (lines and char == "\n") else _escape(char) for char in text
    )


def is_shown(char: str) -> bool:
    """Whether a character is shown as it is, and steers nothing."""
    return char.isprintable() or char in _JOINERS or unicodedata.category(char) not in _STEERING


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
