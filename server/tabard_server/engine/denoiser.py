# SPDX-License-Identifier: Apache-2.0
"""The network: one forward pass for rows of any stacks, or for rows of one stack on a merged copy.

In: open rows of one pixel size. Out: a prediction for each. On a CPU a pass may run a library, on
CUDA a captured graph; a swap changes no shape, no library and no graph. Knows nothing of samplers,
prompts or queues.
"""

import math
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from itertools import accumulate
from typing import Any

import torch

from tabard_server.engine.base.text_layout import TextLayout
from tabard_server.engine.batch import (
    SAMPLE_BUCKETS,
    Batch,
    fill_up,
    filled,
    filler_of,
    stacks_of,
)
from tabard_server.engine.compiled.captured import compile_pass
from tabard_server.engine.compiled.graph import PassShape, shape_of
from tabard_server.engine.compiled.passes import CompiledPasses
from tabard_server.engine.compiled.ways import Graph
from tabard_server.engine.measures.stopwatch import Stopwatch
from tabard_server.engine.merged.merged_copy import MergedWeights
from tabard_server.engine.networks.network import Network, Words
from tabard_server.engine.row import Row
from tabard_server.engine.sampling.pass_courses import PassCourses
from tabard_server.engine.slots.binding import (
    COMPILED_RANK_BUCKETS,
    RANK_BUCKETS,
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


class Denoiser:
    """One network on its device.

    Attributes:
        binding: What its layers wear.
    """

    def __init__(
        self,
        network: Network,
        *,
        layout: TextLayout,
        binding: Binding,
        merged: MergedWeights | None,
        dtype: torch.dtype,
        is_captured: bool,
        libraries: CompiledPasses | None,
        stopwatch: Stopwatch,
    ) -> None:
        """Take a network whose layers have slots.

        Args:
            network: On its device.
            layout: How it reads text.
            binding: That of its layers.
            merged: The merged copy, if there may be one.
            dtype: Dtype of the model.
            is_captured: Whether whatever it runs is compiled and captured at once, on CUDA: a
                network that no process beside the server can build.
            libraries: What passes run that are compiled beside the server; None: nothing is.
            stopwatch: Notes what steps and merges take.
        """
        self._stopwatch = stopwatch
        self._network, self.binding, self._merged = network, binding, merged
        self._device, self._dtype = network.module.device, dtype
        self._told, self._told_skipped = ToldBatches(layout), ToldBatches(layout)
        self._is_captured, self._libraries = is_captured, libraries
        self._run = self._capture() if is_captured else self._forward

    @property
    def merged_stack(self) -> StackKey:
        """What the merged copy wears, as `RowSpec.stack_key` says it; empty: nothing."""
        return (self._merged and self._merged.worn) or ()

    def free_memory(self) -> None:
        """Let go of what can be made again."""
        self._told.clear()
        self._told_skipped.clear()

    def predict(
        self, rows: Sequence[Row], *, courses: PassCourses, is_merged: bool
    ) -> torch.Tensor:
        """Return what the network says to the samples of all rows, `[samples, channels, h, w]`.

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
                found = self._predict(rows, courses=courses, is_merged=False)
                return self._lead_away(rows, found, courses=courses, is_merged=False)
        copy = self._merge(rows[0].spec)
        with self._timing("merged_step", rows), copy.wearing(self._network.component):
            found = self._predict(rows, courses=courses, is_merged=True)
            return self._lead_away(rows, found, courses=courses, is_merged=True)

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
        stacks, together = stacks_of(rows)
        tellings = [
            Telling(
                conditioning=row.conditioning,
                numbers=self._network.numbers_of(row.spec.drawing),
            )
            for row in rows
        ]
        return self._say(
            Batch(
                latents=courses.model_input(),
                timesteps=courses.timesteps(),
                tellings=tellings,
                stacks=[] if is_merged else stacks,
                samples_per_stack=together,
            ),
            told=self._told,
            library=library,
            may_fuse=len(rows) > 1,
        )

    def _lead_away(
        self,
        rows: Sequence[Row],
        predictions: torch.Tensor,
        *,
        courses: PassCourses,
        is_merged: bool,
    ) -> torch.Tensor:
        """Add skip-layer guidance to what the samples say that follow a prompt.

        Guidance then adds it to the whole: `u + s (c' - u)` with `c' = c + g/s (c - skipped)` is
        `u + s (c - u) + g (c - skipped)`. Rows that leave out the same layers share a pass.
        """
        places = accumulate((row.samples for row in rows), initial=0)
        skipping = [(row, at) for row, at in zip(rows, places, strict=False) if row.skips_layers]
        if not skipping:
            return predictions
        latents, timesteps = courses.model_input(), courses.timesteps()
        by_layers: dict[tuple[int, ...], list[tuple[Row, int]]] = {}
        for row, at in skipping:
            assert row.spec.drawing.skipped is not None
            by_layers.setdefault(row.spec.drawing.skipped.layers, []).append((row, at))
        for layers, group in by_layers.items():
            own = [at + n for row, at in group for n in range(1, row.samples, GUIDED_SAMPLES)]
            found = self._say(
                Batch(
                    latents=torch.cat([latents[n : n + 1] for n in own]),
                    timesteps=torch.cat([timesteps[n : n + 1] for n in own]),
                    tellings=[_telling_skipped(row) for row, _ in group],
                    stacks=[] if is_merged else [worn for row, _ in group for worn in row.worn],
                    samples_per_stack=1,
                ),
                told=self._told_skipped,
                library=None,
                may_fuse=False,
                skipped=layers,
            )
            factors = [
                factor
                for row, _ in group
                for factor in [_lead_of(row)] * len(row.spec.drawing.prompts)
            ]
            for n, factor, one in zip(own, factors, found, strict=True):
                predictions[n] += factor * (predictions[n] - one)
        return predictions

    def _say(
        self,
        batch: Batch,
        *,
        told: ToldBatches,
        library: Graph | None,
        may_fuse: bool,
        skipped: tuple[int, ...] = (),
    ) -> torch.Tensor:
        """Return what the network says to a batch, filled up where sizes are few."""
        is_fixed = self._is_captured or library is not None
        count = len(batch.latents)
        filler = filler_of(count) if is_fixed else 0
        words = told.tell(batch.tellings, filler=filler)
        worn = self._bind(batch, filler=filler, is_fixed=is_fixed, may_fuse=may_fuse)
        try:
            shown = filled(batch.latents, filler), filled(batch.timesteps, filler)
            if library is None:
                predictions = self._run(worn, *shown, words, skipped)
            else:
                predictions = library.run(worn, *shown, words.text, _added(words))
        finally:
            self.binding.clear()
        if self._is_captured:
            # The memory of a captured graph is written again by its next replay.
            predictions = predictions.clone()
        return predictions[:count]

    def _forward(
        self,
        worn: WornRows | None,
        latents: torch.Tensor,
        timesteps: torch.Tensor,
        words: Words,
        skipped: tuple[int, ...] = (),
    ) -> torch.Tensor:
        # The layers find here what they wear: to a compiled graph it is an argument like others.
        self.binding.worn = worn
        return self._network.predict(latents, timesteps, words, skipped=skipped)

    def _capture(self) -> Any:
        return compile_pass(self._forward)

    def _shape(self, rows: Sequence[Row], *, is_merged: bool) -> PassShape:
        """Return the kind of a compiled pass of these rows."""
        samples = sum(row.samples for row in rows)
        filler = filler_of(samples)
        return shape_of(
            rows[0].latents.shape,
            samples=samples + filler,
            tokens=math.lcm(*(row.conditioning.text.shape[1] for row in rows)),
            stacks=[] if is_merged else fill_up(*stacks_of(rows), filler=filler)[0],
        )

    def _bind(
        self, batch: Batch, *, filler: int, is_fixed: bool, may_fuse: bool
    ) -> WornRows | None:
        """Say which rank rows each part of a batch gathers; its samples share them if they can."""
        if not batch.stacks:
            return None
        stacks, together = batch.filled(filler)
        bind_rows(
            self.binding,
            stacks=stacks,
            samples_per_row=together,
            device=self._device,
            dtype=self._dtype,
            is_everywhere=is_fixed,
            # A row alone may be one whose bytes are promised, and what is fused is measured anew
            # at every start.
            may_fuse=may_fuse,
            rank_buckets=COMPILED_RANK_BUCKETS if is_fixed else RANK_BUCKETS,
        )
        return self.binding.worn


def _telling_skipped(row: Row) -> Telling:
    assert row.skipped_conditioning is not None
    return Telling(conditioning=row.skipped_conditioning)


def _lead_of(row: Row) -> float:
    """Return how far a sample is led away, in shares of its guidance."""
    drawing = row.spec.drawing
    assert drawing.skipped is not None
    return drawing.skipped.scale / drawing.guidance_scale


def _added(words: Words) -> dict[str, torch.Tensor] | None:
    """Return what a UNet's library is told beside text."""
    if words.pooled is None or words.numbers is None:
        return None
    return {"text_embeds": words.pooled, "time_ids": words.numbers}
