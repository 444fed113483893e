# SPDX-License-Identifier: Apache-2.0
"""What the UNet is told about a row: its prompts, encoded while its own adapters are worn.

In: a row's spec and its slots. Out: its conditioning. Knows nothing of latents or batches.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from tabard_server.adapters.host_adapter import adapters_of
from tabard_server.engine.base.loading import Base
from tabard_server.engine.merged.merged_copy import MergedWeights
from tabard_server.engine.slots.binding import bind_rows
from tabard_server.engine.slots.slot_table import Slot
from tabard_server.engine.slots.worn_rows import Binding
from tabard_server.engine.text.conditioning import (
    Conditioner,
    Conditioning,
    Prompt,
    Wearing,
    join_parts,
)
from tabard_server.engine_port.row_spec import RowSpec
from tabard_server.engine_port.weights.strength import is_worn_in, weights_in_text


class RowTextEncoder:
    """The text encoders of one base, and what they wear."""

    def __init__(
        self,
        base: Base,
        *,
        bindings: Mapping[str, Binding],
        merged: MergedWeights | None,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        """Take the text encoders, whose embeddings learn to read placeholders.

        Args:
            base: Its models are on the device.
            bindings: Of the text encoders' layers, by component.
            merged: The text encoders' merged copy, if there may be one. It is not the UNet's: text
                is encoded as a row opens, while others may need that.
            device: Where they lie.
            dtype: Dtype of the models.
        """
        self._conditioner = Conditioner(base)
        self._is_empty_zero = base.is_empty_zero
        self._bindings, self._merged = bindings, merged
        self._device, self._dtype = device, dtype

    @property
    def clip_skip_max(self) -> int:
        """Most layers that a prompt may leave out."""
        return self._conditioner.clip_skip_max

    def encode(
        self, spec: RowSpec, *, slots: Sequence[Slot], encoded: dict[Any, Conditioning]
    ) -> Conditioning:
        """Encode the prompts of a row: of each part, while what is worn there is worn.

        Args:
            spec: The row.
            slots: Those of its stack; none when it is only worn merged.
            encoded: What was encoded already of rows that open together; filled.

        Raises:
            PromptTooLong: A text does not fit.
            RowNotPossible: A text is not written in its syntax, or too many layers are skipped.
            AdapterMismatch, MergedTooLarge: The stack cannot be merged.
        """
        parts = []
        for part in range(len(spec.drawing.prompts)):
            key = text_key(spec, part=part)
            if key not in encoded:
                encoded[key] = self._encode(spec, slots=slots, part=part)
            parts.append(encoded[key])
        return join_parts(parts)

    def _encode(self, spec: RowSpec, *, slots: Sequence[Slot], part: int) -> Conditioning:
        drawing = spec.drawing
        prompts = [Prompt(text=drawing.prompts[part], clip_skip=drawing.clip_skip)]
        if drawing.is_guided:
            is_zero = self._is_empty_zero and not drawing.negative_prompt
            prompts.insert(0, Prompt(text=drawing.negative_prompt, is_zero=is_zero))
        placeholders: dict[str, dict[str, torch.Tensor]] = {}
        for adapter in adapters_of(spec.stack):
            for tokens in adapter.tokens:
                vectors = tokens.vectors.to(self._device)
                placeholders.setdefault(tokens.component, {})[tokens.token] = vectors
        return self._conditioner.encode(
            prompts,
            placeholders=placeholders,
            wearing=(
                self._copied(spec)
                if spec.is_merged_only
                else self._slotted(spec, slots=slots, part=part)
            ),
            style=drawing.style,
        )

    def _slotted(self, spec: RowSpec, *, slots: Sequence[Slot], part: int) -> Wearing:
        region = spec.drawing.part_names[part]
        worn = [
            (slot, found)
            for slot, (_, weight) in zip(slots, spec.stack, strict=True)
            if is_worn_in(weight, region=region) and (found := weights_in_text(weight))
        ]

        @contextmanager
        def wearing(component: str, sequences: int) -> Iterator[None]:
            binding = self._bindings[component]
            bind_rows(
                binding,
                stacks=[worn],
                samples_per_row=sequences,
                device=self._device,
                dtype=self._dtype,
            )
            try:
                yield
            finally:
                binding.clear()

        return wearing

    def _copied(self, spec: RowSpec) -> Wearing:
        assert self._merged is not None, "such a row is refused before its text is encoded"
        copy = self._merged
        copy.merge(spec.stack)
        return lambda component, _sequences: copy.wearing(component)


def text_key(spec: RowSpec, *, part: int = 0) -> tuple[Any, ...]:
    """Return everything that shapes the conditioning of one part of a row."""
    drawing = spec.drawing
    stack = tuple(
        (adapter.digest, weights_in_text(weight))
        for adapter, weight in spec.stack
        if is_worn_in(weight, region=drawing.part_names[part])
    )
    prompts = (drawing.prompts[part], drawing.negative_prompt, drawing.is_guided)
    return (*prompts, drawing.style, drawing.clip_skip, stack)
