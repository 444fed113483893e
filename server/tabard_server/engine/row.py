# SPDX-License-Identifier: Apache-2.0
"""One image on its way: its course from noise to latents, its text and its slots.

In: a `RowSpec`. Out: what it puts into a forward pass. Knows nothing of its neighbours; reads no
device value back during the walk.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from tabard_server.adapters.host_adapter import wide
from tabard_server.engine.sampling.courses import Course, begin_course
from tabard_server.engine.sampling.first_latents import draw_first_latents
from tabard_server.engine.sampling.sampler_prototypes import SamplerPrototypes
from tabard_server.engine.sampling.vae import LatentSpace
from tabard_server.engine.slots.binding import SlotStack
from tabard_server.engine.slots.slot_table import Slot
from tabard_server.engine.text.conditioning import Conditioning, following
from tabard_server.engine_port.drawing import Drawing
from tabard_server.engine_port.errors import EngineError
from tabard_server.engine_port.row_spec import RowSpec
from tabard_server.engine_port.weights.blocks import Blocks
from tabard_server.engine_port.weights.strength import BlockWeights, is_worn_in, weights_by_step


@dataclass(slots=True, kw_only=True, eq=False)
class Row:
    """A row in flight. Owned by the engine's thread.

    Attributes:
        spec: What was asked for.
        slots: Leased slots, in the order of the stack's layered adapters.
        outfits: What the network wears at each step, of the slots, in each part of the picture.
        conditioning: What the network is told, one sample for each that the row takes.
        course: Its way from noise to latents.
        skipped_conditioning: What the samples are told that a pass draws once more without some
            layers: of each part the one that follows the prompt. None: it asks for no such pass.
        failure: Set when the row broke; it takes part in no further step.
    """

    spec: RowSpec
    slots: list[Slot]
    outfits: Sequence[Sequence[SlotStack]]
    conditioning: Conditioning
    course: Course
    skipped_conditioning: Conditioning | None = None
    failure: EngineError | None = None
    is_open: bool = True

    @property
    def worn(self) -> Sequence[SlotStack]:
        """What each of its parts wears at its next step, in the order of the stack."""
        return self.outfits[self.steps_done]

    @property
    def steps_total(self) -> int:
        """Forward passes from noise to image; some samplers take more than were asked for."""
        return self.course.steps_total

    @property
    def steps_done(self) -> int:
        """Forward passes behind it."""
        return self.course.steps_done

    @property
    def latents(self) -> torch.Tensor:
        """Its latents, `[1, channels, h, w]`, in the model's dtype."""
        return self.course.latents

    @property
    def skips_layers(self) -> bool:
        """Say whether its next step looks at what the network says without some layers."""
        skipped = self.spec.drawing.skipped
        return skipped is not None and skipped.is_at(self.steps_done, steps=self.spec.drawing.steps)

    @property
    def is_done(self) -> bool:
        """Say whether the latents are final."""
        return self.steps_done >= self.steps_total

    @property
    def samples(self) -> int:
        """Samples it takes in a forward pass: for each part 2 with guidance, else 1."""
        return self.spec.drawing.samples

    @property
    def samples_per_part(self) -> int:
        """Adjacent samples that wear the same."""
        return self.spec.drawing.samples_per_part


def begin_row(
    spec: RowSpec,
    *,
    slots: list[Slot],
    conditioning: Conditioning,
    samplers: SamplerPrototypes,
    space: LatentSpace,
    blocks: Blocks,
    image_tokens: int | None = None,
) -> Row:
    """Draw the initial latents as diffusers draws them: from a CPU generator, in model dtype.

    Args:
        spec: What was asked for.
        slots: Leased slots, one for each adapter of the stack.
        conditioning: What the network is told, one sample for each that the row takes.
        samplers: Where its sampler comes from.
        space: Where latents live.
        blocks: Those of the network.
        image_tokens: Latent patches of the picture; None: the model takes it in one piece.

    Raises:
        SamplerNotServed: The base cannot be walked with this sampler.
        RowNotPossible: The sampler cannot take that many steps, or no step is left.
    """
    generator = torch.Generator("cpu").manual_seed(spec.seed)
    drawing = spec.drawing
    scheduler = samplers.take(
        drawing.sampler,
        num_inference_steps=drawing.steps,
        seed=spec.seed,
        walk=drawing.walk,
        image_tokens=image_tokens,
    )
    first = draw_first_latents(
        drawing,
        scheduler=scheduler,
        generator=generator,
        space=space,
        rule=samplers.redraw_rule,
    )
    return Row(
        spec=spec,
        slots=slots,
        skipped_conditioning=None if drawing.skipped is None else following(conditioning),
        outfits=_outfits(spec, slots=slots, steps=len(first.timesteps), blocks=blocks),
        conditioning=conditioning,
        course=begin_course(
            scheduler,
            drawing=drawing,
            first=first,
            shares=_shares(drawing, like=first.latents),
            step_options=samplers.step_options(
                drawing.sampler, generator=generator, eta=drawing.walk.eta
            ),
            tables=samplers.tables,
            image_tokens=image_tokens if samplers.looks_at_size else None,
        ),
    )


def _shares(drawing: Drawing, *, like: torch.Tensor) -> torch.Tensor | None:
    """Return whose each latent pixel is, in at least float32: rounded shares would not add up."""
    if len(drawing.regions) < 2:
        return None
    found = torch.from_numpy(np.stack([region.shares for region in drawing.regions]))
    return found.unsqueeze(1).to(like.device, wide(like.dtype))


def _outfits(
    spec: RowSpec, *, slots: Sequence[Slot], steps: int, blocks: Blocks
) -> Sequence[Sequence[SlotStack]]:
    """Say once what each part wears at each step, so that a step asks for nothing."""
    told = 1 if spec.is_steady else steps
    by_step = [weights_by_step(weight, steps=told, blocks=blocks) for _, weight in spec.stack]
    # What is only worn merged has no slots.
    worn = list(zip(slots, by_step, spec.stack, strict=False))
    parts = [
        [(slot, weights) for slot, weights, (_, said) in worn if is_worn_in(said, region=name)]
        for name in spec.drawing.part_names
    ]
    outfits = [[_worn_at(step, part) for part in parts] for step in range(told)]
    return outfits * steps if spec.is_steady else outfits


def _worn_at(step: int, part: Sequence[tuple[Slot, Sequence[BlockWeights]]]) -> SlotStack:
    return [(slot, weights[step]) for slot, weights in part if weights[step]]
