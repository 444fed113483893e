# SPDX-License-Identifier: Apache-2.0
"""Prompts to windows of token ids, with Textual Inversion per row.

A placeholder token never enters the shared tokenizer or embedding: its vectors get virtual ids
above the vocabulary, valid for one encode call. In: text, and the placeholders a row may use.
Out: token ids with weights. Knows nothing of tensors, images or samplers.
"""

import copy
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tabard_registry.grammar import counted
from tabard_server.engine.text.prompt_syntax import Piece, read_plain, read_weighted
from tabard_server.engine.text.windows import Unit, cut
from tabard_server.engine_port.errors import PromptTooLong, RowNotPossible
from tabard_server.engine_port.prompt_style import (
    PLAIN,
    ClipBeginning,
    PromptReading,
    PromptStyle,
)

TOKENIZER_LENGTH_MAX = 1_000_000
"""More tokens than any prompt within its limit of characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What one pass of the text encoder reads, and how strongly each token acts."""

    ids: tuple[int, ...]
    weights: tuple[float, ...]


def pieces_of(prompt: str, placeholders: Iterable[str], *, style: PromptStyle) -> list[Piece]:
    """Split a prompt as its style says.

    Raises:
        RowNotPossible: It is not written in that syntax.
    """
    read = read_weighted if style.syntax == "a1111" else read_plain
    return read(prompt, placeholders, match=style.token_match)


class PromptReader:
    """Splits prompts at placeholders and tokenizes what lies between.

    Owns a private copy of the tokenizer, so that each thread can have a reader of its own.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = copy.deepcopy(tokenizer)
        # We count ourselves and refuse what is too long; the copy need not warn of it as well.
        self._tokenizer.model_max_length = TOKENIZER_LENGTH_MAX
        self.length: int = int(tokenizer.model_max_length)
        self._size = self.length - 2
        self._comma = self._plain_ids(",")

    def read(
        self, prompt: str, tokens: Mapping[str, int], style: PromptStyle = PLAIN
    ) -> PromptReading:
        """Count tokens, each placeholder as many as it has vectors.

        Args:
            prompt: The text.
            tokens: Vectors per placeholder.
            style: How it is read.

        Raises:
            RowNotPossible: The prompt is not written in that syntax.
        """
        first_ids = {token: (0, count) for token, count in tokens.items()}
        units = list(self._units(prompt, first_ids, style=style))
        pieces = pieces_of(prompt, first_ids, style=style)
        return PromptReading(
            token_count=sum(len(unit.ids) for unit in units),
            token_limit=self._size * style.windows_max,
            used=frozenset(piece.text for piece in pieces if piece.text in tokens),
            window_count=len(cut(units, size=self._size)),
            window_limit=style.windows_max,
        )

    def read_beginning(
        self, prompt: str, tokens: Mapping[str, int], style: PromptStyle = PLAIN
    ) -> ClipBeginning:
        """Say what of a prompt the first window holds, and what is left.

        Args:
            prompt: The text.
            tokens: Vectors per placeholder.
            style: How it is read.

        Raises:
            RowNotPossible: The prompt is not written in that syntax.
        """
        first_ids = {token: (0, count) for token, count in tokens.items()}
        units = list(self._units(prompt, first_ids, style=style))
        kept = self._beginning(units)
        used = frozenset(unit.placeholder for unit in kept if unit.placeholder)
        return ClipBeginning(
            token_count=sum(len(unit.ids) for unit in kept),
            token_total=sum(len(unit.ids) for unit in units),
            used=used,
            behind=frozenset(unit.placeholder for unit in units if unit.placeholder) - used,
        )

    def beginning(
        self, prompt: str, first_ids: Mapping[str, tuple[int, int]], style: PromptStyle = PLAIN
    ) -> Window:
        """Return the first window alone, full to its last token, for a CLIP that helps a T5.

        Args:
            prompt: The text.
            first_ids: First virtual id and number of vectors of each placeholder.
            style: How it is read; BREAK says nothing where one window is read.

        Raises:
            RowNotPossible: The prompt is not written in that syntax.
        """
        return self._window(self._beginning(self._units(prompt, first_ids, style=style)))

    def windows(
        self, prompt: str, first_ids: Mapping[str, tuple[int, int]], style: PromptStyle = PLAIN
    ) -> list[Window]:
        """Return windows of `length` ids each: begin, text, end, padding.

        Args:
            prompt: The text.
            first_ids: First virtual id and number of vectors of each placeholder.
            style: How it is read.

        Raises:
            PromptTooLong: The text does not fit; nothing is cut off in silence.
            RowNotPossible: The prompt is not written in that syntax.
        """
        units = list(self._units(prompt, first_ids, style=style))
        found = cut(units, size=self._size)
        if len(found) > style.windows_max:
            count = sum(len(unit.ids) for unit in units)
            raise PromptTooLong(
                f"the prompt has {counted(count, 'token')} in {counted(len(found), 'window')}; "
                f"{style.windows_max} of "
                f"{self._size} are taken",
                hint="shorten the prompt, or allow it more windows",
            )
        return [self._window(units) for units in found]

    def _window(self, units: list[Unit]) -> Window:
        tokenizer = self._tokenizer
        body = [(token, unit.weight) for unit in units for token in unit.ids]
        ids = [tokenizer.bos_token_id, *(token for token, _ in body), tokenizer.eos_token_id]
        padding = self.length - len(ids)
        return Window(
            ids=(*ids, *[tokenizer.pad_token_id] * padding),
            weights=(1.0, *(weight for _, weight in body), 1.0, *[1.0] * padding),
        )

    def _beginning(self, units: Iterable[Unit]) -> list[Unit]:
        kept, room = [], self._size
        for unit in units:
            if len(unit.ids) > room:
                break
            kept.append(unit)
            room -= len(unit.ids)
        return kept

    def _units(
        self, prompt: str, first_ids: Mapping[str, tuple[int, int]], *, style: PromptStyle
    ) -> Iterator[Unit]:
        for piece in pieces_of(prompt, first_ids, style=style):
            if piece.is_break:
                yield Unit(is_break=True)
            elif piece.text in first_ids:
                first, count = first_ids[piece.text]
                self._check_room(piece.text, count)
                yield Unit(
                    ids=tuple(range(first, first + count)),
                    weight=piece.weight,
                    placeholder=piece.text,
                )
            else:
                for token in self._plain_ids(piece.text):
                    is_comma = [token] == self._comma
                    yield Unit(ids=(token,), weight=piece.weight, is_comma=is_comma)

    def _check_room(self, token: str, count: int) -> None:
        if count > self._size:
            raise RowNotPossible(
                f"{token} stands for {count} vectors; a window of this base holds {self._size}",
                reason="TOKEN_TOO_LONG",
                hint="train it with fewer vectors",
            )

    def _plain_ids(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False).input_ids)
