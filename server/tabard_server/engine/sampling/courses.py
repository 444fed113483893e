# SPDX-License-Identifier: Apache-2.0
"""The way of one row from noise to latents: by a table, or by diffusers' own `step`.

In: a drawing's first latents, its scheduler and generator. Out: a course, that knows how far it
is and what its latents are. A course by a table moves with others, in `table_batch`; one without
moves by itself. Knows nothing of adapters or text.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Protocol

import torch

from tabard_server.adapters.host_adapter import wide
from tabard_server.engine.sampling.first_latents import FirstLatents, KeptPart
from tabard_server.engine.sampling.schedule_table import ScheduleTable, is_linear, make_table
from tabard_server.engine_port.drawing import Drawing

TABLES_MAX = 256
"""Tables that are kept: one for each sampler, number of steps, and way in which these lie."""


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
        batch: The rows that it moves with, if it has moved.
        place: Which of them it is.
    """

    def __init__(
        self,
        table: ScheduleTable,
        *,
        drawing: Drawing,
        first: FirstLatents,
        shares: torch.Tensor | None,
        generator: torch.Generator,
    ) -> None:
        """Begin at the first latents."""
        latents, scale = first.latents, drawing.guidance_scale
        self.table, self.shares, self.kept_part = table, shares, first.kept_part
        self.shape, self.dtype, self.device = latents.shape, latents.dtype, latents.device
        self.samples = drawing.samples
        self.guidance = (1.0 - scale, scale) if drawing.is_guided else (1.0,)
        self.steps_done = 0
        self._generator = generator
        self._values = latents.to(wide(latents.dtype)).reshape(1, -1)
        self._batch: Seat | None = None
        self._place = 0

    @property
    def steps_total(self) -> int:
        """Steps from noise to latents."""
        return self.table.steps

    @property
    def values(self) -> torch.Tensor:
        """Its latents and what its sampler keeps, `[values, channels * h * w]`; absent: zero."""
        return self._values if self._batch is None else self._batch.values_at(self._place)

    @property
    def latents(self) -> torch.Tensor:
        """Its latents, `[1, channels, h, w]`, in the model's dtype."""
        return self.values[0].view(self.shape).to(self.dtype)

    def scaled_latents(self) -> torch.Tensor:
        """Return its latents as the model is shown them, `[1, channels, h, w]`."""
        return self.latents * float(self.table.input_scales[self.steps_done])

    def draw_noise(self, step: int) -> torch.Tensor | None:
        """Draw what a step adds, `[1, channels, h, w]` on the CPU; None: it adds nothing.

        From the row's generator, so that each step is asked for once, in their order.
        """
        dtype = self.table.noise_dtypes[step]
        if dtype is None:
            return None
        return torch.randn(self.shape, generator=self._generator, dtype=dtype)

    def sit(self, batch: Seat, *, place: int) -> None:
        """Move with others from now on."""
        self._batch, self._place = batch, place

    def sits_in(self, batch: Seat) -> bool:
        """Say whether it moves with them."""
        return self._batch is batch


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
        scaled: torch.Tensor = self._scheduler.scale_model_input(self.latents, last)
        return scaled

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
