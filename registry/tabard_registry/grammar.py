# SPDX-License-Identifier: Apache-2.0
"""Numbers and their words as English has them: `1 key fits`, `2 keys fit`, `an int`."""

from __future__ import annotations

_VOWELS = "aeiouAEIOU"


def counted(count: int, noun: str, *, verbs: tuple[str, str] = ("", "")) -> str:
    """Say how many there are, and what one of them or several do.

    Args:
        count: How many.
        noun: One of them; several have an `s`.
        verbs: What one does, and what several do.
    """
    is_one = count == 1
    verb = verbs[0] if is_one else verbs[1]
    return f"{count} {noun if is_one else f'{noun}s'}{f' {verb}' if verb else ''}"


def with_article(noun: str) -> str:
    """Put `a` or `an` before a word, as its first letter asks for."""
    return f"an {noun}" if noun[:1] in _VOWELS else f"a {noun}"
