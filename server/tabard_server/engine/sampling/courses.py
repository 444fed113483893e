# SPDX-License-Identifier: Apache-2.0
"""The way of one row from noise to latents: by a table, or by diffusers' own `step`.

In: a drawing's first latents, its scheduler and generator. Out: a course, that knows how far it
is and what its latents are. A course by a table moves with others, in `table_batch`; one without
moves by itself. Knows nothing of adapters or text.
"""

from typing import Any, Protocol

import torch

from tabard_server.adapters.host_adapter import wide
from tabard_server.engine.sampling.first_latents import FirstLatents
from tabard_server.engine.sampling.noising import shown
from tabard_server.engine.sampling.schedule_table import (
    ScheduleTable,
    Tables,
    is_linear,
    make_table,
)
from tabard_server.engine_port.drawing import Drawing


class Seat(Protocol):
    """Where the values of a course lie while it moves with others."""

    def values_at(self, place: int) -> torch.Tensor:
        """Return those of one place, `[values, channels * h * w]`."""
        ...


class TableCourse:
    """A course whose sampler is a table. Owned by the engine's thread.

    Attributes:
        table: Its steps.
        shape: Of its latents, `(1, channels, h, w)`.
        dtype: Of its latents as the model sees them; its values are wider.
        samples: Samples that it takes in a forward pass.
        guidance: How a prediction is mixed of the samples of a part, in their order.
        shares: Which part of each latent pixel is whose, `[parts, 1, h, w]`; None: there is one.
        kept_part: What a mask keeps; None: there is none.
        steps_done: Steps behind it.
        batch: Where its values lie, once it has moved with others.
    """

    def __init__(
        self,
        table: ScheduleTable,
        *,
        drawing: Drawing,
        first: FirstLatents,
        shares: torch.Tensor | None,
        generator: torch.Generator | None,
    ) -> None:
        """Begin at the first latents."""
        latents, scale = first.latents, drawing.guidance_scale
        self.table, self.shares, self.kept_part = table, shares, first.kept_part
        self.shape, self.dtype, self.device = latents.shape, latents.dtype, latents.device
        self.samples = drawing.samples
        self.guidance = (1.0 - scale, scale) if drawing.is_guided else (1.0,)
        self.steps_done = 0
        self.batch: Seat | None = None
        self._place = 0
        self._first = latents.to(wide(latents.dtype)).reshape(1, -1)
        self._generator = generator
        self._drawn: tuple[int, torch.Tensor | None] = (-1, None)

    @property
    def steps_total(self) -> int:
        """Steps from noise to latents."""
        return self.table.steps

    @property
    def values(self) -> torch.Tensor:
        """Its latents and what its sampler keeps, `[values, channels * h * w]`; absent: zero."""
        return self._first if self.batch is None else self.batch.values_at(self._place)

    @property
    def latents(self) -> torch.Tensor:
        """Its latents, `[1, channels, h, w]`, in the model's dtype."""
        return self.values[0].view(self.shape).to(self.dtype)

    @property
    def input_scale(self) -> float:
        """The model is shown its latents times this."""
        return float(self.table.input_scales[self.steps_done])

    def scaled_latents(self) -> torch.Tensor:
        """Return its latents as the model is shown them, `[1, channels, h, w]`."""
        return self.latents * self.input_scale

    def draw_noise(self, step: int) -> torch.Tensor | None:
        """Draw what a step adds, `[1, channels, h, w]` on the CPU; None: it adds nothing.

        From the row's generator, so that steps are asked for in their order. Who asks for one
        again, because the device had no room for it, gets the same.
        """
        dtype = self.table.noise_dtypes[step]
        if self._drawn[0] != step and dtype is not None:
            self._drawn = step, torch.randn(self.shape, generator=self._generator, dtype=dtype)
        return None if dtype is None else self._drawn[1]

    def sit(self, batch: Seat, *, place: int) -> None:
        """Move with others from now on."""
        self.batch, self._place = batch, place


class StepCourse:
    """A course whose sampler looks at values, and so moves by diffusers' own `step`.

    Attributes:
        steps_done: Steps behind it.
        latents: Its latents, `[1, channels, h, w]`.
    """

    def __init__(
        self,
        scheduler: Any,
        *,
        drawing: Drawing,
        first: FirstLatents,
        shares: torch.Tensor | None,
        step_options: dict[str, Any],
    ) -> None:
        """Begin at the first latents."""
        self._scheduler, self._drawing, self._options = scheduler, drawing, step_options
        self._timesteps, self._kept_part, self._shares = first.timesteps, first.kept_part, shares
        self.latents = first.latents
        self.steps_done = 0

    @property
    def samples(self) -> int:
        """Samples that it takes in a forward pass."""
        return self._drawing.samples

    @property
    def steps_total(self) -> int:
        """Steps from noise to latents."""
        return len(self._timesteps)

    def timestep(self) -> torch.Tensor:
        """Return what the model is told at the next step, a scalar on the CPU."""
        return self._timesteps[self.steps_done]

    def scaled_latents(self) -> torch.Tensor:
        """Return its latents as the model is shown them, `[1, channels, h, w]`."""
        last = self._timesteps[min(self.steps_done, self.steps_total - 1)]
        return shown(self._scheduler, self.latents, last)

    def advance(self, prediction: torch.Tensor) -> None:
        """Take one step with what the model says of its samples, `[samples, channels, h, w]`."""
        if self._drawing.is_guided:
            unconditional, conditional = prediction[::2], prediction[1::2]
            scale = self._drawing.guidance_scale
            prediction = unconditional + scale * (conditional - unconditional)
        if self._shares is not None:
            prediction = (self._shares * prediction).sum(0, keepdim=True).to(prediction.dtype)
        self.latents = self._scheduler.step(
            prediction, self.timestep(), self.latents, return_dict=False, **self._options
        )[0]
        self.steps_done += 1
        if self._kept_part is not None:
            is_done = self.steps_done >= self.steps_total
            self.latents = self._kept_part.put_back(
                self.latents,
                scheduler=self._scheduler,
                next_timestep=None if is_done else self.timestep(),
            )


Course = TableCourse | StepCourse


def begin_course(
    scheduler: Any,
    *,
    drawing: Drawing,
    first: FirstLatents,
    shares: torch.Tensor | None,
    step_options: dict[str, Any],
    tables: Tables,
    image_tokens: int | None = None,
) -> Course:
    """Begin at the first latents, by a table if the sampler is one.

    Args:
        scheduler: Ready for its first step; owned by the course.
        drawing: What is drawn.
        first: Where it begins, and which timesteps are left.
        shares: Which part of each latent pixel is whose; None: there is one.
        step_options: What the scheduler's `step` is told, the generator of its noise among it.
        tables: Those that there are.
        image_tokens: Latent patches of the picture, where the schedule looks at them; else None.
    """
    if not is_linear(scheduler):
        return StepCourse(
            scheduler, drawing=drawing, first=first, shares=shares, step_options=step_options
        )

    has_kept_part = first.kept_part is not None
    key = (
        *(drawing.sampler, drawing.steps, drawing.walk, image_tokens),
        *(len(first.timesteps), has_kept_part),
    )
    table = tables.of(
        key,
        make=lambda: make_table(
            scheduler,
            timesteps=first.timesteps,
            step_options=step_options,
            dtype=first.latents.dtype,
            has_kept_part=has_kept_part,
        ),
    )
    generator = step_options.get("generator")
    return TableCourse(table, drawing=drawing, first=first, shares=shares, generator=generator)
