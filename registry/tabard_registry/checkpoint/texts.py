# SPDX-License-Identifier: Apache-2.0
"""Texts that are said often, written once: each gets a number when it is first said."""

from __future__ import annotations


class Texts:
    """A table of texts while it grows. One thread."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    @property
    def found(self) -> list[str]:
        """The texts, by number."""
        return list(self._numbers)

    def number(self, text: str) -> int:
        """Return the number of a text."""
        return self._numbers.setdefault(text, len(self._numbers))
