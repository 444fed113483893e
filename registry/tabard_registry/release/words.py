# SPDX-License-Identifier: Apache-2.0
"""What authors say of a release in words, and how that is amended later.

Words shape no picture. The manifest holds those of the publication; shown are the newest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from tabard_registry.errors import InvalidField, check_text
from tabard_registry.release.manifest import PURPOSES

NOTES_CHARS_MAX = 8_000
"""Longest notes of a release."""
LICENCE_CHARS_MAX = 200
"""Longest licence text."""
TITLE_CHARS_MAX = 200
"""Longest title."""
TRIGGER_WORDS_MAX = 32
"""Most trigger words of a release."""
TRIGGER_WORD_CHARS_MAX = 200
"""Longest trigger word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The words of a release.

    Attributes:
        notes: Free text.
        licence: SPDX id or free text.
        title: What people call it, in any script.
        purpose: `concept`, `style`, `subject`, or empty.
        trigger_words: Words that wake it.
    """

    notes: str = ""
    licence: str = ""
    title: str = ""
    purpose: str = ""
    trigger_words: tuple[str, ...] = ()

    def check(self) -> None:
        """Refuse words of a caller that are too long, unknown, or hold control characters.

        Raises:
            InvalidField: They do.
        """
        check_text("notes", self.notes, chars_max=NOTES_CHARS_MAX, lines=True)
        check_text("licence", self.licence, chars_max=LICENCE_CHARS_MAX)
        check_text("title", self.title, chars_max=TITLE_CHARS_MAX)
        if len(self.trigger_words) > TRIGGER_WORDS_MAX:
            raise InvalidField(
                f"{len(self.trigger_words)} trigger words",
                reason="FIELD_TOO_LONG",
                hint=f"A release has at most {TRIGGER_WORDS_MAX} trigger words.",
            )
        for word in self.trigger_words:
            check_text("a trigger word", word, chars_max=TRIGGER_WORD_CHARS_MAX)
        if self.purpose not in PURPOSES:
            raise InvalidField(
                f"unknown purpose {self.purpose!r}",
                reason="FIELD_INVALID",
                hint=f"Purposes: {', '.join(PURPOSES[1:])}.",
            )

    def to_json(self) -> dict[str, Any]:
        """Write all of them."""
        return {name: getattr(self, name) for name in WORDS} | {
            "trigger_words": list(self.trigger_words)
        }

    @classmethod
    def of(cls, source: Any) -> Words:
        """Take the words of a draft, a manifest or a release."""
        return cls(**{name: getattr(source, name) for name in WORDS})


WORDS: tuple[str, ...] = tuple(one.name for one in fields(Words))
"""Names of all that can be amended."""


def read_amendment(said: Mapping[str, Any]) -> dict[str, Any]:
    """Read the words that an act of the log amends, by name.

    Raises:
        ValueError: There are none, or something is no word of a release.
    """
    if not said or said.keys() - set(WORDS):
        raise ValueError("it amends nothing that is known")
    texts = {name: value for name, value in said.items() if name != "trigger_words"}
    triggers = said.get("trigger_words", [])
    are_texts = isinstance(triggers, list | tuple) and all(isinstance(w, str) for w in triggers)
    if not are_texts or not all(isinstance(text, str) for text in texts.values()):
        raise ValueError("words of a release are texts")
    if texts.get("purpose", "") not in PURPOSES:
        raise ValueError("unknown purpose")
    return texts | ({"trigger_words": tuple(triggers)} if "trigger_words" in said else {})
