# SPDX-License-Identifier: Apache-2.0
"""The UNet: one forward pass for rows of any stacks, or for rows of one stack on a merged copy.

In: open rows of one pixel size. Out: a prediction for each. On a CPU a pass may run a library, on
CUDA a captured graph; a swap changes no shape, no library and no graph. Knows nothing of samplers,
prompts or queues.
"""

import math
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch

from tabard_server.engine.compiled.graph import PassShape, shape_of
from tabard_server.engine.compiled.passes import CompiledPasses
from tabard_server.engine.compiled.ways import Graph
from tabard_server.engine.measures.stopwatch import Stopwatch
from tabard_server.engine.merged.merged_copy import MergedWeights
from tabard_server.engine.row import Row
from tabard_server.engine.sampling.pass_courses import PassCourses
from tabard_server.engine.slots.binding import (
    COMPILED_RANK_BUCKETS,
    RANK_BUCKETS,
    SlotStack,
    bind_rows,
    bucket,
)
from tabard_server.engine.slots.worn_rows import Binding, WornRows
from tabard_server.engine.text.told import Telling, ToldBatches
from tabard_server.engine_port.costs import Compiled
from tabard_server.engine_port.errors import no_merged_copy
from tabard_server.engine_port.row_spec import RowSpec
from tabard_server.engine_port.stack import StackKey
from tabard_server.engine_port.work import GUIDED_SAMPLES

SAMPLE_BUCKETS = (1, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64)
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
        is_captured: bool,
        libraries: CompiledPasses | None,
        stopwatch: Stopwatch,
    ) -> None:
        """Take a UNet whose layers have slots.

        Args:
            unet: The model, on its device.
            binding: That of its layers.
            merged: The merged copy, if there may be one.
            dtype: Dtype of the model.
            is_captured: Whether it runs as a compiled and captured graph, on CUDA.
            libraries: What passes run that are compiled for a CPU; None: nothing is.
            stopwatch: Notes what steps and merges take.
        """
        self._stopwatch = stopwatch
        self._unet, self.binding, self._merged = unet, binding, merged
        self._device, self._dtype = unet.device, dtype
        self._told = ToldBatches()
        self._is_captured, self._libraries = is_captured, libraries
        self._run = self._capture() if is_captured else self._forward

    @property
    def merged_stack(self) -> StackKey:
        """What the merged copy wears, as `RowSpec.stack_key` says it; empty: nothing."""
        return (self._merged and self._merged.worn) or ()

    def free_memory(self) -> None:
        """Let go of what can be made again."""
        self._told.clear()

    def predict(
        self, rows: Sequence[Row], *, courses: PassCourses, is_merged: bool
    ) -> torch.Tensor:
        """Return what the UNet says to the samples of all rows, `[samples, channels, h, w]`.

        Args:
            rows: Open rows of one pixel size.
            courses: Theirs, in the same order.
            is_merged: Run on the merged copy, which then wears the stack that is all of theirs.

        Raises:
            AdapterMismatch, MergedTooLarge: The stack cannot be merged.
        """
        if not is_merged:
            kind = "row_step" if any(row.slots for row in rows) else "bare_step"
            with self._timing(kind, rows):
                return self._predict(rows, courses=courses, is_merged=False)
        copy = self._merge(rows[0].spec)
        with self._timing("merged_step", rows), copy.wearing("unet"):
            return self._predict(rows, courses=courses, is_merged=True)

    def warm(self, size: tuple[int, int], *, tokens: int, rows_max: int) -> None:
        """Order libraries for latents of a size: one guided row, and as many as share a step.

        Each bare, and with a small adapter in every row. Does nothing where no libraries are run.

        Args:
            size: Height and width of the latents.
            tokens: Of a short text.
            rows_max: Rows that may share a step.
        """
        if self._libraries is None:
            return
        height, width = size
        self._libraries.warm(
            [
                PassShape(
                    samples=bucket(GUIDED_SAMPLES * rows, buckets=SAMPLE_BUCKETS),
                    height=height,
                    width=width,
                    tokens=tokens,
                    rows=bucket(GUIDED_SAMPLES * rows, buckets=SAMPLE_BUCKETS) // GUIDED_SAMPLES
                    if ranks
                    else 0,
                    ranks=ranks,
                )
                for rows in sorted({1, rows_max})
                for ranks in (0, COMPILED_RANK_BUCKETS[0])
            ]
        )

    @property
    def compiled(self) -> Compiled | None:
        """How far the libraries are; None: there are none."""
        return None if self._libraries is None else self._libraries.state

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

    def _predict(
        self, rows: Sequence[Row], *, courses: PassCourses, is_merged: bool
    ) -> torch.Tensor:
        # A deterministic row does not see how far the libraries are: its bytes are always these.
        if self._libraries is None or any(row.spec.is_deterministic for row in rows):
            return self._pass(rows, courses=courses, is_merged=is_merged, library=None)
        shape = self._shape(rows, is_merged=is_merged)
        layout = self._merged.layout if is_merged and self._merged is not None else None
        library = self._libraries.choose(shape, layout=layout)
        if library is not None and self._libraries.is_unchecked(shape):
            expected = self._pass(rows, courses=courses, is_merged=is_merged, library=None)
            found = self._pass(rows, courses=courses, is_merged=is_merged, library=library)
            self._libraries.check(shape, found=found, expected=expected)
            return expected
        begun_at = time.perf_counter()
        predictions = self._pass(rows, courses=courses, is_merged=is_merged, library=library)
        self._libraries.note(
            time.perf_counter() - begun_at,
            shape=shape,
            samples=len(predictions),
            is_compiled=library is not None,
        )
        return predictions

    def _pass(
        self,
        rows: Sequence[Row],
        *,
        courses: PassCourses,
        is_merged: bool,
        library: Graph | None,
    ) -> torch.Tensor:
        is_fixed = self._is_captured or library is not None
        run = self._run if library is None else library.run
        latents = courses.model_input()
        filler = _filler(len(latents)) if is_fixed else 0
        told = self._told.tell(
            [
                Telling(conditioning=row.conditioning, time_ids=row.spec.drawing.time_ids)
                for row in rows
            ],
            filler=filler,
        )
        worn = None if is_merged else self._bind(rows, filler=filler, is_fixed=is_fixed)
        try:
            predictions = run(
                worn,
                _filled(latents, filler),
                _filled(courses.timesteps(), filler),
                told.text,
                told.added,
            )
        finally:
            self.binding.clear()
        if self._is_captured:
            # The memory of a captured graph is written again by its next replay.
            predictions = predictions.clone()
        return predictions[: len(latents)]

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

    def _capture(self) -> Any:
        torch._dynamo.config.recompile_limit = GRAPHS_MAX
        torch._dynamo.config.accumulated_recompile_limit = 4 * GRAPHS_MAX
        return torch.compile(self._forward, fullgraph=True, dynamic=False, mode="reduce-overhead")

    def _shape(self, rows: Sequence[Row], *, is_merged: bool) -> PassShape:
        """Return the kind of a compiled pass of these rows."""
        samples = sum(row.samples for row in rows)
        filler = _filler(samples)
        return shape_of(
            rows[0].latents.shape,
            samples=samples + filler,
            tokens=math.lcm(*(row.conditioning.text.shape[1] for row in rows)),
            stacks=[] if is_merged else _stacks(rows, filler=filler)[0],
        )

    def _bind(self, rows: Sequence[Row], *, filler: int, is_fixed: bool) -> WornRows | None:
        """Say which rank rows each part of a row gathers; its samples share them if they can."""
        stacks, together = _stacks(rows, filler=filler)
        bind_rows(
            self.binding,
            stacks=stacks,
            samples_per_row=together,
            device=self._device,
            dtype=self._dtype,
            is_everywhere=is_fixed,
            # A row alone may be one whose bytes are promised, and what is fused is measured anew
            # at every start.
            may_fuse=len(rows) > 1,
            rank_buckets=COMPILED_RANK_BUCKETS if is_fixed else RANK_BUCKETS,
        )
        return self.binding.worn


def _filler(samples: int) -> int:
    """Return how many samples a batch lacks to a size that is compiled."""
    return bucket(samples, buckets=SAMPLE_BUCKETS) - samples


def _stacks(rows: Sequence[Row], *, filler: int) -> tuple[list[SlotStack], int]:
    """Return what each part of a batch wears, and how many samples are one part."""
    counts = {row.samples_per_part for row in rows}
    together = counts.pop() if len(counts) == 1 else 1
    if filler % together:
        together = 1
    stacks: list[SlotStack] = [
        worn for row in rows for worn in row.worn for _ in range(row.samples_per_part // together)
    ]
    return [*stacks, *([] for _ in range(filler // together))], together


def _filled(samples: torch.Tensor, filler: int) -> torch.Tensor:
    """Repeat the last sample, whose prediction nobody looks at."""
    if not filler:
        return samples
    return torch.cat([samples, samples[-1:].expand(filler, *samples.shape[1:])])
