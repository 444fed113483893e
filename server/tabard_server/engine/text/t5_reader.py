# SPDX-License-Identifier: Apache-2.0
"""Prompts to the tokens of a T5, which reads a text in one piece; and to both, where CLIP helps it.

In: text. Out: token ids with weights, or what a text comes to. A T5 knows no taught words: it reads
them as they are written. `BREAK` says nothing to it. Knows nothing of tensors.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tabard_registry.grammar import counted
from tabard_server.engine.base.text_layout import TextLayout
from tabard_server.engine.text.prompt_reader import (
    TOKENIZER_LENGTH_MAX,
    PromptReader,
    Window,
    pieces_of,
)
from tabard_server.engine_port.errors import PromptTooLong
from tabard_server.engine_port.prompt_style import PLAIN, PromptReading, PromptStyle


class T5Reader:
    """Tokenizes prompts whole, each with an end and padding behind it.

    Owns a private copy of the tokenizer, so that each thread can have a reader of its own.
    """

    def __init__(self, tokenizer: Any, *, layout: TextLayout) -> None:
        """Take a tokenizer, and how long the texts of its pipeline are."""
        self._tokenizer = copy.deepcopy(tokenizer)
        self._tokenizer.model_max_length = TOKENIZER_LENGTH_MAX
        self._size, self._windows_max = layout.t5_tokens, layout.t5_windows_max

    def read(self, prompt: str, style: PromptStyle = PLAIN) -> PromptReading:
        """Count tokens.

        Raises:
            RowNotPossible: The prompt is not written in its syntax.
        """
        count = len(self._tokens(prompt, style=style))
        allowed = self._allowed(style)
        return PromptReading(
            token_count=count,
            token_limit=self._limit(allowed),
            used=frozenset(),
            window_count=self._windows(count),
            window_limit=allowed,
            encoder="T5",
            windows_max=self._windows_max,
        )

    def windows(self, prompts: Sequence[str], style: PromptStyle = PLAIN) -> list[Window]:
        """Return one window for each prompt, all as long as the longest wants them.

        Raises:
            PromptTooLong: A text does not fit; nothing is cut off in silence.
            RowNotPossible: A text is not written in its syntax.
        """
        found = [self._tokens(prompt, style=style) for prompt in prompts]
        longest = max(map(len, found))
        allowed = self._allowed(style)
        if self._windows(longest) > allowed:
            more = ", or allow it more windows" if allowed < self._windows_max else ""
            raise PromptTooLong(
                f"the prompt has {counted(longest, 'token')} of T5's, which reads "
                f"{self._limit(allowed)}",
                hint=f"shorten the prompt{more}",
            )
        length = self._size * self._windows(longest)
        return [self._window(tokens, length=length) for tokens in found]

    def _allowed(self, style: PromptStyle) -> int:
        return min(style.windows_max, self._windows_max)

    def _limit(self, windows: int) -> int:
        """Return the most tokens of so many windows, without the end."""
        return self._size * windows - 1

    def _windows(self, count: int) -> int:
        return -(-(count + 1) // self._size)

    def _window(self, tokens: list[tuple[int, float]], *, length: int) -> Window:
        tokenizer = self._tokenizer
        ids = [*(token for token, _ in tokens), tokenizer.eos_token_id]
        weights = [*(weight for _, weight in tokens), 1.0]
        padding = length - len(ids)
        return Window(
            ids=(*ids, *[tokenizer.pad_token_id] * padding),
            weights=(*weights, *[1.0] * padding),
        )

    def _tokens(self, prompt: str, *, style: PromptStyle) -> list[tuple[int, float]]:
        return [
            (token, piece.weight)
            for piece in pieces_of(prompt, (), style=style)
            if not piece.is_break
            for token in self._tokenizer(piece.text, add_special_tokens=False).input_ids
        ]


class JointReader:
    """Reads a prompt as both do: the T5 whole, and CLIP its beginning."""

    def __init__(self, clip: PromptReader, t5: T5Reader) -> None:
        """Take the readers of both."""
        self._clip, self._t5 = clip, t5

    def read(
        self, prompt: str, tokens: Mapping[str, int], style: PromptStyle = PLAIN
    ) -> PromptReading:
        """Count the T5's tokens; of taught words those are used that CLIP comes to.

        Args:
            prompt: The text.
            tokens: Vectors per placeholder.
            style: How it is read.

        Raises:
            RowNotPossible: The prompt is not written in that syntax.
        """
        beginning = self._clip.read_beginning(prompt, tokens, style)
        return replace(self._t5.read(prompt, style), used=beginning.used, clip_beginning=beginning)
