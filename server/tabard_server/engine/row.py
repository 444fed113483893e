# SPDX-License-Identifier: Apache-2.0
"""One image on its way: its sampler, generator, latents, text and slots.

In: a `RowSpec`. Out: the samples it puts into a forward pass, and what it makes of the
prediction. Knows nothing of its neighbours; reads no device value back during the walk.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from tabard_server.engine.sampling.first_latents import KeptPart, draw_first_latents
from tabard_server.engine.sampling.sampler_prototypes import SamplerPrototypes
from tabard_server.engine.sampling.vae import LatentSpace
from tabard_server.engine.slots.binding import SlotStack
from tabard_server.engine.slots.slot_table import Slot
from tabard_server.engine.text.conditioning import Conditioning
from tabard_server.engine_port.errors import EngineError
from tabard_server.engine_port.row_spec import RowSpec
from tabard_server.engine_port.weights.strength import BlockWeights, weights_by_step
from tabard_server.engine_port.weights.unet_blocks import UNetBlocks


@dataclass(slots=True, kw_only=True, eq=False)
class Row:
    """A row in flight. Owned by the engine's thread.

    Attributes:
        spec: What was asked for.
        slots: Leased slots, in the order of the stack's layered adapters.
        outfits: What the UNet wears at each step, of the slots.
        steps_done: Forward passes behind it.
        steps_total: Forward passes in all; some samplers take more than were asked for.
        failure: Set when the row broke; it takes part in no further step.
    """

    spec: RowSpec
    slots: list[Slot]
    outfits: Sequence[SlotStack]
    conditioning: Conditioning
    scheduler: Any
    step_options: dict[str, Any]
    latents: torch.Tensor
    timesteps: torch.Tensor
    kept_part: KeptPart | None = None
    steps_done: int = 0
    failure: EngineError | None = None
    is_open: bool = True

    @property
    def worn(self) -> SlotStack:
        """What it wears at its next step, in the order of the stack."""
        return self.outfits[self.steps_done]

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
        return self.spec.drawing.samples

    def timestep(self) -> torch.Tensor:
        """The timestep of the next forward pass, a scalar on the CPU."""
        return self.timesteps[self.steps_done]

    def model_input(self) -> torch.Tensor:
        """Latents scaled for the model, shape `[samples, channels, h, w]`."""
        scaled = self.scheduler.scale_model_input(self.latents, self.timestep())
        return scaled.expand(self.samples, -1, -1, -1)  # type: ignore[no-any-return]

    def advance(self, prediction: torch.Tensor) -> None:
        """Take one sampler step with this row's prediction `[samples, channels, h, w]`."""
        drawing = self.spec.drawing
        if drawing.is_guided:
            unconditional, conditional = prediction[:1], prediction[1:]
            prediction = unconditional + drawing.guidance_scale * (conditional - unconditional)
        self.latents = self.scheduler.step(
            prediction, self.timestep(), self.latents, return_dict=False, **self.step_options
        )[0]
        self.steps_done += 1
        if self.kept_part is not None:
            self.latents = self.kept_part.put_back(
                self.latents,
                scheduler=self.scheduler,
                next_timestep=None if self.is_done else self.timestep(),
            )


def begin_row(
    spec: RowSpec,
    *,
    slots: list[Slot],
    conditioning: Conditioning,
    samplers: SamplerPrototypes,
    space: LatentSpace,
    blocks: UNetBlocks,
) -> Row:
    """Draw the initial latents as diffusers draws them: from a CPU generator, in model dtype.

    Args:
        spec: What was asked for.
        slots: Leased slots, one for each adapter of the stack.
        conditioning: What the UNet is told, one sample for each that the row takes.
        samplers: Where its sampler comes from.
        space: Where latents live.
        blocks: Those of the UNet.

    Raises:
        SamplerNotServed: The base cannot be walked with this sampler.
        RowNotPossible: The sampler cannot take that many steps, or no step is left.
    """
    generator = torch.Generator("cpu").manual_seed(spec.seed)
    drawing = spec.drawing
    scheduler = samplers.take(
        drawing.sampler, num_inference_steps=drawing.steps, seed=spec.seed, walk=drawing.walk
    )
    first = draw_first_latents(drawing, scheduler=scheduler, generator=generator, space=space)
    return Row(
        spec=spec,
        slots=slots,
        outfits=_outfits(spec, slots=slots, steps=len(first.timesteps), blocks=blocks),
        conditioning=conditioning,
        scheduler=scheduler,
        step_options=samplers.step_options(
            drawing.sampler, generator=generator, eta=drawing.walk.eta
        ),
        latents=first.latents,
        timesteps=first.timesteps,
        kept_part=first.kept_part,
    )


def _outfits(
    spec: RowSpec, *, slots: Sequence[Slot], steps: int, blocks: UNetBlocks
) -> Sequence[SlotStack]:
    """Say once what it wears at each step, so that a step asks for nothing."""
    if spec.is_steady:
        steady = _worn_at(
            0, slots, [weights_by_step(w, steps=1, blocks=blocks) for _, w in spec.stack]
        )
        return [steady] * steps
    by_step = [weights_by_step(w, steps=steps, blocks=blocks) for _, w in spec.stack]
    return [_worn_at(step, slots, by_step) for step in range(steps)]


def _worn_at(
    step: int, slots: Sequence[Slot], by_step: Sequence[Sequence[BlockWeights]]
) -> SlotStack:
    # What is only worn merged has no slots.
    return [
        (slot, weights[step])
        for slot, weights in zip(slots, by_step, strict=False)
        if weights[step]
    ]
