# SPDX-License-Identifier: Apache-2.0
"""A kind of pass is told before anything is bound, and a graph of it gives what the UNet gives."""

import random
from typing import Any

import pytest
import torch

from tabard_server.adapters.host_adapter import PackedLayer, lay_out
from tabard_server.engine.compiled.graph import PassShape, UNetPass, gather_inputs, shape_of
from tabard_server.engine.engine import Engine
from tabard_server.engine.networks.network import Words
from tabard_server.engine.slots.binding import COMPILED_RANK_BUCKETS, SlotStack, bind_rows
from tabard_server.engine.slots.slotted_layers import make_tables
from tabard_server.engine.slots.worn_rows import Binding, WornRows
from tests.server.engine.compiled.conftest import shape

LATENTS = 8
TOKENS = 7


def _slots(engine: Engine, *, axis: str, seed: int) -> Any:
    """Fill a slot with an adapter of a few layers of the UNet."""
    generator, dice = torch.Generator().manual_seed(seed), random.Random(seed)
    layers = {}
    for name, module in engine.profile.modules["unet"].items():
        width = {"outputs": module.outputs, "inputs": module.inputs}.get(axis)
        area = module.kernel[0] * module.kernel[1]
        if dice.random() < 0.3:
            layers["unet", name] = PackedLayer(
                down=torch.randn(3, module.inputs * area, generator=generator) * 0.1,
                up=torch.randn(3, module.outputs, generator=generator) * 0.1,
                magnitude=None if width is None else 1 + torch.rand(width, generator=generator),
                magnitude_axis=axis,
            )
    adapter = lay_out(layers, digest=f"sha256:{axis}{seed}", dtype=torch.float64)
    return engine.slots.acquire([adapter])[0]


def _bound(binding: Binding, stacks: list[SlotStack], *, samples: int) -> WornRows | None:
    bind_rows(
        binding,
        stacks=stacks,
        samples_per_row=samples,
        device=torch.device("cpu"),
        dtype=torch.float64,
        is_everywhere=True,
        rank_buckets=COMPILED_RANK_BUCKETS,
    )
    worn = binding.worn
    binding.clear()
    return worn


def _inputs(engine: Engine, samples: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    width = engine._base.network.module.config.cross_attention_dim
    generator = torch.Generator().manual_seed(7)
    latents = torch.randn(samples, 4, LATENTS, LATENTS, generator=generator, dtype=torch.float64)
    text = torch.randn(samples, TOKENS, width, generator=generator, dtype=torch.float64)
    return latents, torch.full((samples,), 500), text


@pytest.mark.parametrize("axis", ["", "outputs", "inputs"])
@pytest.mark.parametrize("blocks", [0, 1, 2])
def test_graph_gives_what_the_unet_gives(engine: Engine, axis: str, blocks: int) -> None:
    """Bare, worn, with weights by block and with magnitudes, in sizes that were told before."""
    for layer in engine.slots._layers.values():
        make_tables(layer)
    binding = engine._bindings["unet"]
    count = 1 if blocks == 1 else len(engine._blocks.names) + 1
    stacks: list[SlotStack] = [[], []]
    if blocks:
        slots = [_slots(engine, axis=axis, seed=seed) for seed in (1, 2)]
        stacks = [[(slots[0], (0.7,) * count)], [(one, (0.4,) * count) for one in slots]]
    latents, timesteps, text = _inputs(engine, 4)
    kind = shape_of(latents.shape, samples=4, tokens=TOKENS, stacks=stacks)
    worn = _bound(binding, stacks, samples=2)

    given = gather_inputs(worn, latents, timesteps, text, None)
    sizes = kind.inputs(engine._base.network.module.config, dtype=torch.float64)
    graph = UNetPass(engine._base.network.module, binding=binding, shape=kind, names=list(sizes))
    with torch.inference_mode():
        found = graph(*given)
        expected = engine._denoiser._forward(worn, latents, timesteps, Words(text=text))
    binding.clear()

    assert [(tuple(one.shape), one.dtype) for one in given] == [*sizes.values()]
    assert (kind.rows, bool(kind.magnitudes)) == (2 if blocks else 0, bool(blocks and axis))
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_sdxl_is_told_sizes_too() -> None:
    """What its UNet takes besides comes between the text and what is worn."""
    config = {
        "in_channels": 4,
        "cross_attention_dim": 2048,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 2816,
    }
    kind = PassShape(samples=4, height=8, width=8, tokens=77, rows=2, ranks=16)

    found = kind.inputs(config, dtype=torch.float32)

    assert list(found) == [
        *("latents", "timesteps", "text", "text_embeds", "time_ids", "index", "weight")
    ]
    assert found["text_embeds"][0] == (4, 1280) and found["time_ids"][0] == (4, 6)


def test_names_differ_by_kind() -> None:
    """One file for each."""
    kinds = [
        shape(),
        shape(4),
        PassShape(samples=2, height=8, width=8, tokens=77, rows=1, ranks=16),
    ]

    assert len({one.name for one in kinds}) == len(kinds)
    assert kinds[2].name.startswith("2x8x8-rank16-")
