# SPDX-License-Identifier: Apache-2.0
"""One CLIP: windows of token ids to hidden states and, where it is wanted, a pooled output.

In: prompts of one row, and what its placeholders stand for in this encoder. Out: tensors on the
encoder's device. Knows nothing of the other encoders, of images or of LoRA.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from tabard_server.engine.base.loading import TextPart
from tabard_server.engine.base.text_layout import TextLayout
from tabard_server.engine.text.prompt_reader import PromptReader, Window
from tabard_server.engine_port.errors import RowNotPossible
from tabard_server.engine_port.prompt_style import PromptStyle

_LEGACY_END = 2
"""The `eos_token_id` that early configs give by mistake; transformers then takes the highest id."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizedPrompts:
    """Prompts of one row as one encoder reads them.

    Attributes:
        windows: Of each prompt, as many as the longest has.
        virtual: Vectors of the placeholders in the order of their virtual ids, or None.
    """

    windows: tuple[tuple[Window, ...], ...]
    virtual: torch.Tensor | None

    @property
    def window_count(self) -> int:
        """Windows of each prompt."""
        return len(self.windows[0])


class TextEncoder:
    """Encodes one row's prompts with that row's placeholders."""

    def __init__(self, part: TextPart, *, layout: TextLayout) -> None:
        """Take a text encoder, whose embedding becomes a `VirtualEmbedding`.

        Args:
            part: The encoder and its tokenizer.
            layout: What the network reads of it.
        """
        self.component = part.component
        self._model = part.model
        self._projection = getattr(part.model, "text_projection", None)
        self._layout = layout
        self._reader = PromptReader(part.tokenizer)
        self._embedding = part.model.get_input_embeddings()
        self._embedding.__class__ = VirtualEmbedding
        self._embedding.virtual = None

    @property
    def clip_skip_max(self) -> int:
        """Most layers that can be skipped: one is left; none where no states are read."""
        if self._layout.clip_states == "none":
            return 0
        takes_penultimate = self._layout.clip_states == "penultimate"
        return int(self._model.config.num_hidden_layers) - 1 - int(takes_penultimate)

    def read(
        self,
        prompts: Sequence[str],
        *,
        placeholders: Mapping[str, torch.Tensor],
        style: PromptStyle,
        windows_min: int = 1,
        takes_beginning: bool = False,
    ) -> TokenizedPrompts:
        """Tokenize prompts; shorter ones are filled up with empty windows.

        Args:
            prompts: Texts of one row.
            placeholders: Vectors `[n, width]` by placeholder.
            style: How the texts are read.
            windows_min: Windows that each shall have at least.
            takes_beginning: Read no more of a text than one window holds: a T5 reads the whole.

        Raises:
            PromptTooLong: A text does not fit.
            RowNotPossible: A text is not written in its syntax.
        """
        first_ids: dict[str, tuple[int, int]] = {}
        next_id = self._embedding.num_embeddings
        for token, vectors in placeholders.items():
            first_ids[token] = (next_id, len(vectors))
            next_id += len(vectors)
        if takes_beginning:
            found = [[self._reader.beginning(prompt, first_ids, style)] for prompt in prompts]
        else:
            found = [self._reader.windows(prompt, first_ids, style) for prompt in prompts]
        count = max(windows_min, *(len(windows) for windows in found))
        (empty,) = self._reader.windows("", {})
        return TokenizedPrompts(
            windows=tuple((*windows, *[empty] * (count - len(windows))) for windows in found),
            virtual=torch.cat(list(placeholders.values())) if placeholders else None,
        )

    def encode(
        self, reading: TokenizedPrompts, *, clip_skips: Sequence[int]
    ) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        """Return hidden states `[prompts, windows * length, width]` and the pooled output.

        The pooled output `[prompts, width]` is that of a prompt's first window, and weights do
        not change it. Either is None where the network does not read it.

        Args:
            reading: The prompts.
            clip_skips: Last layers to leave out, for each prompt.

        Raises:
            RowNotPossible: The encoder has not that many layers.
        """
        flat = [window for windows in reading.windows for window in windows]
        ids = torch.tensor([window.ids for window in flat]).to(self._embedding.weight.device)
        self._embedding.virtual = reading.virtual
        try:
            output = self._model(ids, output_hidden_states=True)
        finally:
            self._embedding.virtual = None
        count = reading.window_count
        for skip in clip_skips:
            self._refuse_skip(skip)
        pooled = self._pooled(output, ids=ids, first=slice(None, None, count))
        if self._layout.clip_states == "none":
            return None, pooled
        hidden = torch.cat(
            [
                self._hidden(output, skip=skip)[number * count : (number + 1) * count]
                for number, skip in enumerate(clip_skips)
            ]
        )
        weighed = weigh(hidden, windows=flat).reshape(len(clip_skips), -1, hidden.shape[-1])
        return weighed, pooled

    def _refuse_skip(self, skip: int) -> None:
        if not 0 <= skip <= self.clip_skip_max:
            raise RowNotPossible(
                f"clip_skip {skip} is not from 0 to {self.clip_skip_max}",
                reason="CLIP_SKIP_OUT_OF_RANGE",
                hint="1 is usual for drawn styles, 0 for everything else",
            )

    def _hidden(self, output: Any, *, skip: int) -> torch.Tensor:
        if self._layout.clip_states == "penultimate":
            return output.hidden_states[-2 - skip]  # type: ignore[no-any-return]
        if skip == 0:
            return output.last_hidden_state  # type: ignore[no-any-return]
        model = getattr(self._model, "text_model", self._model)
        return model.final_layer_norm(output.hidden_states[-1 - skip])  # type: ignore[no-any-return]

    def _pooled(self, output: Any, *, ids: torch.Tensor, first: slice) -> torch.Tensor | None:
        wants_projection = self._layout.pooled == "projected"
        if self._layout.pooled == "none" or (wants_projection and self._projection is None):
            return None
        end = int(self._model.config.eos_token_id)
        if end == _LEGACY_END:
            places = ids.masked_fill(ids >= self._embedding.num_embeddings, 0).argmax(dim=-1)
        else:
            places = (ids == end).int().argmax(dim=-1)
        rows = torch.arange(len(ids), device=ids.device)
        ends: torch.Tensor = output.last_hidden_state[rows, places][first]
        return self._projection(ends) if self._projection is not None else ends


def weigh(hidden: torch.Tensor, *, windows: Sequence[Window]) -> torch.Tensor:
    """Multiply tokens by their weights, and bring each window's mean back, as A1111 does."""
    if all(weight == 1.0 for window in windows for weight in window.weights):
        return hidden
    weights = torch.tensor([window.weights for window in windows], dtype=hidden.dtype)
    weighed = hidden * weights.to(hidden.device).unsqueeze(-1)
    before, after = hidden.mean(dim=(1, 2)), weighed.mean(dim=(1, 2))
    # A window of plain weights is left exactly as it was, and so is one whose mean is nothing.
    ratio = torch.where(before == after, torch.ones_like(before), before / after)
    ratio = torch.where(ratio.isfinite(), ratio, torch.ones_like(ratio))
    return weighed * ratio[:, None, None]
