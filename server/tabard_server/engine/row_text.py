# SPDX-License-Identifier: Apache-2.0
"""What the network is told about a row: its prompts, encoded while its own adapters are worn.

In: a row's spec and its slots. Out: its conditioning. Knows nothing of latents or batches.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from tabard_server.adapters.host_adapter import adapters_of
from tabard_server.engine.base.loading import Base
from tabard_server.engine.base.resident.text_shelf import TextShelf
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
from tabard_server.engine.text.kept_texts import KeptTexts
from tabard_server.engine_port.port import PromptReaderLike
from tabard_server.engine_port.row_spec import RowSpec
from tabard_server.engine_port.weights.strength import is_worn_in, weights_in_text


class RowTextEncoder:
    """The text encoders of one base, and what they wear.

    Attributes:
        kept: What was encoded lately.
    """

    def __init__(
        self,
        base: Base,
        *,
        bindings: Mapping[str, Binding],
        shelf: TextShelf,
        merged: MergedWeights | None,
        device: torch.device,
        bytes_max: int,
    ) -> None:
        """Take the text encoders, whose embeddings learn to read placeholders.

        Args:
            base: Its models are on the device.
            bindings: Of the text encoders' layers, by component.
            shelf: Where those lie that are not on the device between uses.
            merged: The text encoders' merged copy, if there may be one. It is not the UNet's: text
                is encoded as a row opens, while others may need that.
            device: Where they lie.
            bytes_max: What may be kept of texts that were encoded.
        """
        self.kept = KeptTexts(bytes_max=bytes_max)
        self._conditioner = Conditioner(base)
        self._is_empty_zero = base.is_empty_zero
        self._bindings, self._merged, self._shelf = bindings, merged, shelf
        self._device = device
        self._dtypes = {part.component: part.model.dtype for part in base.text_parts}

    @property
    def clip_skip_max(self) -> int:
        """Most layers that a prompt may leave out."""
        return self._conditioner.clip_skip_max

    def new_prompt_reader(self) -> PromptReaderLike:
        """Return a reader that counts as the encoders do, for a thread of its own."""
        return self._conditioner.new_prompt_reader()

    def encode(self, spec: RowSpec, *, slots: Sequence[Slot]) -> Conditioning:
        """Encode the prompts of a row: of each part, while what is worn there is worn.

        What was encoded lately is found again: what the device made of the same words, worn and
        read the same way, are the same bits.

        Args:
            spec: The row.
            slots: Those of its stack; none when it is only worn merged.

        Raises:
            PromptTooLong: A text does not fit.
            RowNotPossible: A text is not written in its syntax, or too many layers are skipped.
            AdapterMismatch, MergedTooLarge: The stack cannot be merged.
        """
        parts = []
        for part in range(len(spec.drawing.prompts)):
            key = text_key(spec, part=part)
            found = self.kept.find(key.digest)
            if found is None:
                found = self._encode(spec, slots=slots, part=part)
                self.kept.keep(key.digest, found, digests=key.releases)
            parts.append(found)
        return join_parts(parts, is_masked=self._conditioner.layout.is_masked)

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
                dtype=self._dtypes[component],
            )
            try:
                with self._shelf.taken(component):
                    yield
            finally:
                binding.clear()

        return wearing

    def _copied(self, spec: RowSpec) -> Wearing:
        assert self._merged is not None, "such a row is refused before its text is encoded"
        copy = self._merged
        copy.merge(spec.stack)

        @contextmanager
        def wearing(component: str, _sequences: int) -> Iterator[None]:
            with self._shelf.taken(component), copy.wearing(component):
                yield

        return wearing


@dataclass(frozen=True, slots=True)
class TextKey:
    """What tells the conditionings of rows apart.

    Attributes:
        digest: sha256 of everything that shapes it, the base aside.
        releases: Digests of the releases among that.
    """

    digest: bytes
    releases: frozenset[str]


def text_key(spec: RowSpec, *, part: int = 0) -> TextKey:
    """Return what everything comes to that shapes the conditioning of one part of a row.

    Words that an adapter teaches are known in every part, whichever of them it is worn in.
    """
    drawing = spec.drawing
    worn = [
        (adapter.digest, tuple(map(float, weights_in_text(weight))))
        for adapter, weight in spec.stack
        if is_worn_in(weight, region=drawing.part_names[part])
    ]
    teaching = [adapter.digest for adapter in adapters_of(spec.stack) if adapter.tokens]
    prompts = (drawing.prompts[part], drawing.negative_prompt, drawing.is_guided)
    shaped_by = (prompts, drawing.style, drawing.clip_skip, worn, teaching, spec.is_merged_only)
    # As Python writes them, strings in quotes: no two of these read the same.
    return TextKey(
        digest=hashlib.sha256(repr(shaped_by).encode()).digest(),
        releases=frozenset([*(digest for digest, _ in worn), *teaching]),
    )
