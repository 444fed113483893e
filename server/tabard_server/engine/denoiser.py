# SPDX-License-Identifier: Apache-2.0
"""The UNet: one forward pass for rows of any stacks, or for rows of one stack on a merged copy.

In: open rows of one pixel size. Out: a prediction for each. Compiled or not, a swap changes no
shape and no graph. Knows nothing of samplers, prompts or queues.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch

from tabard_server.engine.measures.stopwatch import Stopwatch
from tabard_server.engine.merged.merged_copy import MergedWeights
from tabard_server.engine.row import Row
from tabard_server.engine.slots.binding import (
    COMPILED_RANK_BUCKETS,
    RANK_BUCKETS,
    SlotStack,
    bind_rows,
    bucket,
)
from tabard_server.engine.slots.worn_rows import Binding, WornRows
from tabard_server.engine.text.conditioning import join_texts
from tabard_server.engine_port.errors import no_merged_copy
from tabard_server.engine_port.row_spec import RowSpec
from tabard_server.engine_port.stack import StackKey

SAMPLE_BUCKETS = (1, 2, 4, 8, 16, 32, 64)
"""Samples of a compiled forward pass; a batch is filled up to the next."""
GRAPHS_MAX = 256
"""Graphs that are kept: one for each bucket of samples, ranks, prompt windows and pixel size."""


class Denoiser:
    """One UNet on its device.

    Attributes:
        binding: What its layers wear.
    """

    def __init__(
        self,
        unet: Any,
        *,
        binding: Binding,
        merged: MergedWeights | None,
        dtype: torch.dtype,
        is_compiled: bool,
        stopwatch: Stopwatch,
    ) -> None:
        """Take a UNet whose layers have slots.

        Args:
            unet: The model, on its device.
            binding: That of its layers.
            merged: The merged copy, if there may be one.
            dtype: Dtype of the model.
            is_compiled: Whether it runs as a compiled graph; on CUDA as a captured one.
            stopwatch: Notes what steps and merges take.
        """
        self._stopwatch = stopwatch
        self._unet, self.binding, self._merged = unet, binding, merged
        self._device, self._dtype = unet.device, dtype
        self._is_compiled = is_compiled
        self._is_captured = is_compiled and self._device.type == "cuda"
        self._run = self._compile() if is_compiled else self._forward

    @property
    def merged_stack(self) -> StackKey:
        """What the merged copy wears, as `RowSpec.stack_key` says it; empty: nothing."""
        return (self._merged and self._merged.worn) or ()

    def predict(self, rows: Sequence[Row], *, is_merged: bool) -> list[torch.Tensor]:
        """Return what the UNet says to each row, `[samples, channels, h, w]`.

        Args:
            rows: Open rows of one pixel size.
            is_merged: Run on the merged copy, which then wears the stack that is all of theirs.

        Raises:
            AdapterMismatch, MergedTooLarge: The stack cannot be merged.
        """
        if not is_merged:
            kind = "row_step" if any(row.slots for row in rows) else "bare_step"
            with self._timing(kind, rows):
                return self._predict(rows, is_merged=False)
        copy = self._merge(rows[0].spec)
        with self._timing("merged_step", rows), copy.wearing("unet"):
            return self._predict(rows, is_merged=True)

    def _timing(self, kind: str, rows: Sequence[Row]) -> AbstractContextManager[None]:
        samples = sum(row.samples for row in rows)
        parts = sum(len(row.worn) for row in rows)
        size = rows[0].spec.drawing.size
        return self._stopwatch.timing(kind, rows=parts, size=size, samples=samples)

    def _merge(self, spec: RowSpec) -> MergedWeights:
        """Make the copy wear a stack, if it does not."""
        if self._merged is None:
            raise no_merged_copy()
        if self._merged.worn != spec.stack_key:
            with self._stopwatch.timing("merge"):
                self._merged.merge(spec.stack)
        return self._merged

    def _predict(self, rows: Sequence[Row], *, is_merged: bool) -> list[torch.Tensor]:
        samples = [row.samples for row in rows]
        filler = self._filler(sum(samples))
        latents = torch.cat([row.model_input() for row in rows])
        timesteps = torch.stack([row.timestep() for row in rows for _ in range(row.samples)])
        text = join_texts([row.conditioning.text for row in rows])
        worn = None if is_merged else self._bind(rows, filler=filler)
        try:
            predictions = self._run(
                worn,
                _filled(latents, filler),
                _filled(timesteps, filler).to(self._device, non_blocking=True),
                _filled(text, filler),
                self._added(rows, filler=filler),
            )
        finally:
            self.binding.clear()
        if self._is_captured:
            # The memory of a captured graph is written again by its next replay.
            predictions = predictions.clone()
        return list(predictions[: sum(samples)].split(samples))

    def _forward(
        self,
        worn: WornRows | None,
        latents: torch.Tensor,
        timesteps: torch.Tensor,
        text: torch.Tensor,
        added: dict[str, torch.Tensor] | None,
    ) -> torch.Tensor:
        # The layers find here what they wear: to a compiled graph it is an argument like others.
        self.binding.worn = worn
        return self._unet(  # type: ignore[no-any-return]
            latents,
            timesteps,
            encoder_hidden_states=text,
            added_cond_kwargs=added,
            return_dict=False,
        )[0]

    def _compile(self) -> Any:
        torch._dynamo.config.recompile_limit = GRAPHS_MAX
        torch._dynamo.config.accumulated_recompile_limit = 4 * GRAPHS_MAX
        mode = "reduce-overhead" if self._is_captured else "default"
        return torch.compile(self._forward, fullgraph=True, dynamic=False, mode=mode)

    def _filler(self, samples: int) -> int:
        """Return how many samples a batch lacks to a size that has a graph."""
        if not self._is_compiled:
            return 0
        return bucket(samples, buckets=SAMPLE_BUCKETS) - samples

    def _bind(self, rows: Sequence[Row], *, filler: int) -> WornRows | None:
        """Say which rank rows each part of a row gathers; its samples share them if they can."""
        counts = {row.samples_per_part for row in rows}
        together = counts.pop() if len(counts) == 1 else 1
        if filler % together:
            together = 1
        stacks: list[SlotStack] = [
            worn
            for row in rows
            for worn in row.worn
            for _ in range(row.samples_per_part // together)
        ]
        stacks += [[] for _ in range(filler // together)]
        bind_rows(
            self.binding,
            stacks=stacks,
            samples_per_row=together,
            device=self._device,
            dtype=self._dtype,
            is_everywhere=self._is_compiled,
            # A row alone may be one whose bytes are promised, and what is fused is measured anew
            # at every start.
            may_fuse=len(rows) > 1,
            rank_buckets=COMPILED_RANK_BUCKETS if self._is_compiled else RANK_BUCKETS,
        )
        return self.binding.worn

    def _added(self, rows: Sequence[Row], *, filler: int) -> dict[str, torch.Tensor] | None:
        """Return what SDXL's UNet is told besides the words; None for other families."""
        pooled = [row.conditioning.pooled for row in rows]
        if pooled[0] is None:
            return None
        sizes = [row.spec.drawing.time_ids for row in rows for _ in range(row.samples)]
        told = torch.cat([one for one in pooled if one is not None])
        time_ids = torch.tensor(sizes, dtype=self._dtype).to(self._device, non_blocking=True)
        return {"text_embeds": _filled(told, filler), "time_ids": _filled(time_ids, filler)}


def _filled(samples: torch.Tensor, filler: int) -> torch.Tensor:
    """Repeat the last sample, whose prediction nobody looks at."""
    if not filler:
        return samples
    return torch.cat([samples, samples[-1:].expand(filler, *samples.shape[1:])])
