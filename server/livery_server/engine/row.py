# SPDX-License-Identifier: Apache-2.0
"""One image on its way: its sampler, generator, latents, text and slots.

In: a `RowSpec`. Out: the samples it puts into a forward pass, and what it makes of the
prediction. Knows nothing of its neighbours; reads no device value back during the walk.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from diffusers.utils.torch_utils import randn_tensor

from livery_server.adapters.packed import HostAdapter
from livery_server.engine.errors import EngineError
from livery_server.engine.samplers import SamplerShelf
from livery_server.engine.slots import Slot


@dataclass(frozen=True, slots=True, kw_only=True)
class RowSpec:
    """Everything that shapes one image.

    Attributes:
        prompt: What to draw.
        negative_prompt: What to keep away from.
        stack: Adapters and their weights, in order.
        seed: Seed of this row's generator.
        steps: Denoise steps asked of the sampler.
        guidance_scale: Classifier-free guidance; 1 or less: none.
        width: Pixels.
        height: Pixels.
        sampler: Canonical short name.
    """

    prompt: str
    negative_prompt: str = ""
    stack: tuple[tuple[HostAdapter, float], ...] = ()
    seed: int
    steps: int
    guidance_scale: float
    width: int
    height: int
    sampler: str

    @property
    def is_guided(self) -> bool:
        """Say whether the row needs an unconditional sample beside its own."""
        return self.guidance_scale > 1.0


@dataclass(slots=True, kw_only=True, eq=False)
class Row:
    """A row in flight. Owned by the engine's thread.

    Attributes:
        spec: What was asked for.
        slots: Leased slots, in the order of the stack's layered adapters.
        rank_index: Rank rows it gathers.
        rank_weight: Their weights.
        steps_done: Forward passes behind it.
        steps_total: Forward passes in all; some samplers take more than were asked for.
        failure: Set when the row broke; it takes part in no further step.
    """

    spec: RowSpec
    slots: list[Slot]
    text: torch.Tensor
    scheduler: Any
    step_options: dict[str, Any]
    latents: torch.Tensor
    timesteps: torch.Tensor
    rank_index: list[int] = field(default_factory=list)
    rank_weight: list[float] = field(default_factory=list)
    steps_done: int = 0
    failure: EngineError | None = None
    is_open: bool = True

    @property
    def steps_total(self) -> int:
        """Forward passes from noise to image."""
        return len(self.timesteps)

    @property
    def is_done(self) -> bool:
        """Say whether the latents are final."""
        return self.steps_done >= self.steps_total

    @property
    def samples(self) -> int:
        """Samples it takes in a forward pass: 2 with guidance, else 1."""
        return 2 if self.spec.is_guided else 1

    def timestep(self) -> torch.Tensor:
        """The timestep of the next forward pass, a scalar on the CPU."""
        return self.timesteps[self.steps_done]

    def model_input(self) -> torch.Tensor:
        """Latents scaled for the model, shape `[samples, channels, h, w]`."""
        scaled = self.scheduler.scale_model_input(self.latents, self.timestep())
        return scaled.expand(self.samples, -1, -1, -1)  # type: ignore[no-any-return]

    def advance(self, prediction: torch.Tensor) -> None:
        """Take one sampler step with this row's prediction `[samples, channels, h, w]`."""
        if self.spec.is_guided:
            unconditional, conditional = prediction[:1], prediction[1:]
            prediction = unconditional + self.spec.guidance_scale * (conditional - unconditional)
        self.latents = self.scheduler.step(
            prediction, self.timestep(), self.latents, return_dict=False, **self.step_options
        )[0]
        self.steps_done += 1


def begin_row(
    spec: RowSpec,
    *,
    slots: list[Slot],
    text: torch.Tensor,
    shelf: SamplerShelf,
    latent_channels: int,
    latent_factor: int,
) -> Row:
    """Draw the initial latents as diffusers draws them: from a CPU generator, in model dtype.

    Args:
        spec: What was asked for.
        slots: Leased slots, one for each adapter of the stack.
        text: Hidden states `[samples, length, width]`, on the device.
        shelf: Where samplers come from.
        latent_channels: Channels of the latents.
        latent_factor: Pixels per latent.
    """
    generator = torch.Generator("cpu").manual_seed(spec.seed)
    scheduler = shelf.take(spec.sampler, num_inference_steps=spec.steps)
    shape = (1, latent_channels, spec.height // latent_factor, spec.width // latent_factor)
    noise = randn_tensor(shape, generator=generator, device=text.device, dtype=text.dtype)
    ranks = [
        (rank, weight)
        for slot, (_, weight) in zip(slots, spec.stack, strict=True)
        for rank in slot.ranks
    ]
    return Row(
        spec=spec,
        slots=slots,
        text=text,
        scheduler=scheduler,
        step_options=shelf.step_options(spec.sampler, generator=generator),
        latents=noise * scheduler.init_noise_sigma,
        timesteps=scheduler.timesteps,
        rank_index=[rank for rank, _ in ranks],
        rank_weight=[weight for _, weight in ranks],
    )
