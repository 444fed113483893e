# SPDX-License-Identifier: Apache-2.0
r"""Prompt weighting as people write it since A1111: `(word)`, `(word:1.2)`, `[word]`, `BREAK`.

In: a prompt and the placeholders in it. Out: pieces of text with a weight each. `\(` is a bracket
that weighs nothing, a lone backslash says nothing. What A1111 reads as a schedule or a composition
is refused, never misread. Knows no tokens and no tensors.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from tabard_server.engine_port.errors import RowNotPossible
from tabard_server.engine_port.prompt_style import TokenMatch

ROUND = 1.1
"""What a pair of round brackets multiplies by; a square one divides by it."""
WEIGHT_ABS_MAX = 10.0
"""Largest weight of a piece."""
DEPTH_MAX = 50
"""Most brackets open at once."""

_LETTER = r"[\w\u0300-\u036f]"
"""What words are made of, accents that are characters of their own included."""
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)"
_MARKS = rf"\\[\\()\[\]]|\\|:\s*(?P<weight>{_NUMBER})\s*\)|[()\[\]]|\s*\bBREAK\b\s*"
_SCHEDULE = re.compile(rf":\s*{_NUMBER}\s*$|\|")
_COMPOSITION = re.compile(r"\bAND\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A stretch of a prompt.

    Attributes:
        text: What it says; a placeholder stands alone.
        weight: How strongly it acts; 1 is plain.
        is_break: Whether a new window begins here; such a piece says nothing.
    """

    text: str = ""
    weight: float = 1.0
    is_break: bool = False


def split_at(text: str, placeholders: Iterable[str], *, match: TokenMatch = "whole") -> list[str]:
    """Split a text at placeholders, which stand alone; of two that begin alike the longer wins.

    Args:
        text: What is split.
        placeholders: Where.
        match: `whole`: not within a longer word; `anywhere`: there too, as diffusers does.
    """
    longest_first = sorted(placeholders, key=len, reverse=True)
    if not longest_first:
        return [text] if text else []
    pattern = "|".join(map(_whole if match == "whole" else re.escape, longest_first))
    return [piece for piece in re.split(f"({pattern})", text) if piece]


def read_plain(
    prompt: str, placeholders: Iterable[str], *, match: TokenMatch = "whole"
) -> list[Piece]:
    """Read a prompt in which no character has a meaning of its own."""
    return [Piece(text=text) for text in split_at(prompt, placeholders, match=match)]


def read_weighted(
    prompt: str, placeholders: Iterable[str], *, match: TokenMatch = "whole"
) -> list[Piece]:
    """Read a prompt in A1111's syntax.

    Raises:
        RowNotPossible: It schedules or composes prompts, or weighs beyond the bounds.
    """
    known = frozenset(placeholders)
    reader = _Reader(known)
    for part in split_at(prompt, known, match=match):
        if part in known:
            reader.say(part)
        else:
            reader.take(part)
    return reader.finish()


def _whole(token: str) -> str:
    """Match a placeholder where no letter or digit goes on with it, at an end that is one."""
    before = rf"(?<!{_LETTER})" if re.match(_LETTER, token) else ""
    behind = rf"(?!{_LETTER})" if re.search(rf"{_LETTER}\Z", token) else ""
    return before + re.escape(token) + behind


class _Reader:
    """Pieces so far, and the brackets of each shape that are still open, wherever the other's are.

    So `(a [b) c]` is read as A1111 does: each closing bracket ends the last open one of its shape.
    """

    def __init__(self, placeholders: frozenset[str]) -> None:
        self._placeholders = placeholders
        self._said: list[tuple[str, float]] = []
        self._open: dict[str, list[int]] = {"(": [], "[": []}

    def say(self, text: str) -> None:
        if text:
            self._said.append((text, 1.0))

    def take(self, text: str) -> None:
        if _COMPOSITION.search(text):
            raise _not_served("AND, which composes prompts")
        done = 0
        for mark in re.finditer(_MARKS, text):
            self.say(text[done : mark.start()])
            self._obey(mark)
            done = mark.end()
        self.say(text[done:])

    def finish(self) -> list[Piece]:
        for bracket, factor in (("(", ROUND), ("[", 1 / ROUND)):
            while self._open[bracket]:
                self._close(bracket, factor)
        return [self._piece(text, weight) for text, weight in self._merged()]

    def _obey(self, mark: re.Match[str]) -> None:
        text = mark[0]
        if text in "([":
            if sum(map(len, self._open.values())) >= DEPTH_MAX:
                raise _wrong(f"more than {DEPTH_MAX} brackets are open at once")
            self._open[text].append(len(self._said))
        elif mark["weight"] is not None and self._open["("]:
            self._close("(", float(mark["weight"]))
        elif text == ")" and self._open["("]:
            self._close("(", ROUND)
        elif text == "]" and self._open["["]:
            self._refuse_schedule()
            self._close("[", 1 / ROUND)
        elif text.strip() == "BREAK":
            self._said.append(("", math.nan))
        else:
            self.say(text[1:] if text.startswith("\\") else text)

    def _close(self, bracket: str, factor: float) -> None:
        first = self._open[bracket].pop()
        self._said[first:] = [(text, weight * factor) for text, weight in self._said[first:]]

    def _refuse_schedule(self) -> None:
        inside = "".join(text for text, _ in self._said[self._open["["][-1] :])
        if _SCHEDULE.search(inside):
            raise _not_served(f"[{inside[:40]}], which changes the prompt while it is drawn")

    def _merged(self) -> list[tuple[str, float]]:
        """Join neighbours of one weight, so that escapes split no word; placeholders stay alone."""
        alone = self._placeholders | {""}
        merged: list[tuple[str, float]] = []
        for text, weight in self._said:
            last, last_weight = merged[-1] if merged else ("", weight)
            if text in alone or last in alone or weight != last_weight:
                merged.append((text, weight))
            else:
                merged[-1] = (last + text, weight)
        return merged

    def _piece(self, text: str, weight: float) -> Piece:
        if not text:
            return Piece(is_break=True)
        if abs(weight) > WEIGHT_ABS_MAX:
            raise _wrong(f"{text[:40]!r} has the weight {weight:g}, beyond {WEIGHT_ABS_MAX:g}")
        return Piece(text=text, weight=weight)


def _wrong(message: str) -> RowNotPossible:
    return RowNotPossible(message, reason="PROMPT_SYNTAX", hint=r"write \( for a plain bracket")


def _not_served(what: str) -> RowNotPossible:
    return RowNotPossible(
        f"the prompt holds {what}",
        reason="PROMPT_SYNTAX_NOT_SERVED",
        hint="weights `(word:1.2)`, `[word]` and BREAK are read; say the rest in plain words",
    )
