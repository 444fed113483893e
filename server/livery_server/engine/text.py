# SPDX-License-Identifier: Apache-2.0
"""Prompts to token ids to embeddings, with Textual Inversion per row.

A placeholder token never enters the shared tokenizer or embedding: its vectors get virtual ids
above the vocabulary, valid for one encode call. In: text, and the placeholders a row may use.
Out: token ids and hidden states. Knows nothing of images, samplers or LoRA.
"""

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from livery_server.engine.errors import PromptTooLong

TOKENIZER_LENGTH_MAX = 1_000_000
"""More tokens than any prompt within its limit of characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptReading:
    """What a prompt comes to, before anything is encoded.

    Attributes:
        token_count: Tokens without begin and end.
        token_limit: The most that fit.
        used: Placeholders that occur in it.
    """

    token_count: int
    token_limit: int
    used: frozenset[str]


class PromptReader:
    """Splits prompts at placeholders and tokenizes what lies between.

    Owns a private copy of the tokenizer, so that each thread can have a reader of its own.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = copy.deepcopy(tokenizer)
        # We count ourselves and refuse what is too long; the copy need not warn of it as well.
        self._tokenizer.model_max_length = TOKENIZER_LENGTH_MAX
        self.length: int = int(tokenizer.model_max_length)

    def read(self, prompt: str, tokens: Mapping[str, int]) -> PromptReading:
        """Count tokens, each placeholder as many as it has vectors.

        Args:
            prompt: The text.
            tokens: Vectors per placeholder.
        """
        pieces = _split(prompt, tokens)
        count = sum(
            tokens[piece] if piece in tokens else len(self._plain_ids(piece)) for piece in pieces
        )
        used = frozenset(piece for piece in pieces if piece in tokens)
        return PromptReading(token_count=count, token_limit=self.length - 2, used=used)

    def ids(self, prompt: str, first_ids: Mapping[str, tuple[int, int]]) -> list[int]:
        """Return `length` ids: begin, text, end, padding.

        Args:
            prompt: The text.
            first_ids: First virtual id and number of vectors of each placeholder.

        Raises:
            PromptTooLong: The text does not fit; nothing is cut off in silence.
        """
        body: list[int] = []
        for piece in _split(prompt, first_ids):
            if piece in first_ids:
                first, count = first_ids[piece]
                body += range(first, first + count)
            else:
                body += self._plain_ids(piece)
        if len(body) > self.length - 2:
            raise PromptTooLong(
                f"the prompt has {len(body)} tokens; this base takes {self.length - 2}",
                hint="shorten the prompt",
            )
        tokenizer = self._tokenizer
        ids = [tokenizer.bos_token_id, *body, tokenizer.eos_token_id]
        return ids + [tokenizer.pad_token_id] * (self.length - len(ids))

    def _plain_ids(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False).input_ids)


class VirtualEmbedding(nn.Embedding):
    """A token embedding that reads ids above the vocabulary from a table of the moment."""

    virtual: torch.Tensor | None

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Look up ids `[batch, length]`; virtual ones in `virtual [n, width]`."""
        if self.virtual is None:
            return super().forward(input)
        plain = functional.embedding(input.clamp(max=self.num_embeddings - 1), self.weight)
        virtual_ids = (input - self.num_embeddings).clamp(min=0)
        virtual = functional.embedding(virtual_ids, self.virtual.to(plain))
        return torch.where((input >= self.num_embeddings).unsqueeze(-1), virtual, plain)


class TextEncoder:
    """Encodes one row's prompts with that row's placeholders."""

    def __init__(self, *, model: Any, reader: PromptReader) -> None:
        """Take the text encoder, whose embedding becomes a `VirtualEmbedding`, and a reader."""
        self._model = model
        self._reader = reader
        self._embedding = model.get_input_embeddings()
        self._embedding.__class__ = VirtualEmbedding
        self._embedding.virtual = None

    def encode(
        self, prompts: Sequence[str], *, placeholders: Mapping[str, torch.Tensor]
    ) -> torch.Tensor:
        """Return the last hidden states, shape `[len(prompts), length, width]`, model dtype.

        Args:
            prompts: Texts of one row, as many as share a forward pass.
            placeholders: Vectors `[n, width]` by placeholder.

        Raises:
            PromptTooLong: A text does not fit.
        """
        first_ids: dict[str, tuple[int, int]] = {}
        next_id = self._embedding.num_embeddings
        for token, vectors in placeholders.items():
            first_ids[token] = (next_id, len(vectors))
            next_id += len(vectors)
        ids = torch.tensor([self._reader.ids(prompt, first_ids) for prompt in prompts])
        device = self._embedding.weight.device
        tables = [vectors.to(device) for vectors in placeholders.values()]
        self._embedding.virtual = torch.cat(tables) if tables else None
        try:
            return self._model(ids.to(device)).last_hidden_state  # type: ignore[no-any-return]
        finally:
            self._embedding.virtual = None


def _split(prompt: str, tokens: Mapping[str, Any]) -> list[str]:
    if not tokens:
        return [prompt]
    longest_first = sorted(tokens, key=len, reverse=True)
    pattern = "|".join(re.escape(token) for token in longest_first)
    return [piece for piece in re.split(f"({pattern})", prompt) if piece]
