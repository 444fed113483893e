# SPDX-License-Identifier: Apache-2.0
"""Every kind of adapter on a transformer, in float64: as diffusers draws with the weights changed.

What is written in trainers' names is changed by the tests' own sums; what PEFT writes, PEFT wears
or merges itself.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tabard_server.engine_port.row_spec import RowSpec
from tests.heavy_writers import PEFT_CONFIGS, write_heavy
from tests.server.adapters.packing import pack_file
from tests.server.engine.tiny_base import draw, draw_merged
from tests.server.engine.transformers.studio import (
    FAMILIES,
    PROMPT,
    TOKEN,
    TransformerStudio,
    open_transformer_studio,
)

pytestmark = pytest.mark.oracle

TOLERANCE = 1e-9
VISIBLE = 0.01
TAUGHT = f"a red {TOKEN} circle"
IN_SLOTS: tuple[tuple[Mapping[str, float], dict[str, Any]], ...] = (
    ({"dora": 1.0}, {"sampler": "euler"}),
    ({"dora": 0.6}, {"sampler": "dpmpp_2m"}),
    ({"lokr": 0.8}, {"sampler": "unipc"}),
    ({"loha": 0.7}, {"sampler": "lcm"}),
    ({"word": 1.0}, {"sampler": "euler", "prompt": TAUGHT}),
    ({"fused": 0.5, "dora": 0.8, "lokr": 0.4}, {"sampler": "euler"}),
    ({"dora": 0.8, "fused": 0.5, "word": 1.0}, {"sampler": "dpmpp_2m_sde", "prompt": TAUGHT}),
    ({"lora": 0.6, "peft_dora": 0.9}, {"sampler": "unipc", "steps": 6}),
    ({"loha": 0.4, "lora": 0.6}, {"sampler": "euler", "steps": 3}),
)
"""Stacks in slots, with what else is asked for: each row of one batch."""
MERGED: tuple[tuple[Mapping[str, float], dict[str, Any]], ...] = (
    ({"norms_and_biases": 1.0}, {"sampler": "euler"}),
    ({"whole_lokr": 0.8}, {"sampler": "dpmpp_2m"}),
    ({"whole": 0.4, "dora": 0.8, "norms_and_biases": 0.5}, {"sampler": "unipc"}),
    ({"whole_lokr": 0.5, "word": 1.0, "lokr": 0.6}, {"sampler": "lcm", "prompt": TAUGHT}),
)
"""Stacks that are only worn merged."""


@pytest.fixture(scope="module", params=FAMILIES)
def studio(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> TransformerStudio:
    return open_transformer_studio(tmp_path_factory.mktemp(request.param), family=request.param)


def assert_equal(
    found: torch.Tensor, expected: torch.Tensor, spec: RowSpec, *, tolerance: float = TOLERANCE
) -> None:
    """Equal to a part of the largest value."""
    bound = tolerance * max(1.0, float(expected.abs().max()))
    assert float((found - expected).abs().max()) <= bound, spec


def test_kinds_in_slots_equal_diffusers(studio: TransformerStudio) -> None:
    """DoRA, LoKr, LoHa, words and stacks of them share passes under several samplers."""
    specs = [studio.spec(stack, **changes) for stack, changes in IN_SLOTS]

    found = draw(studio.engine, specs)

    for (stack, _), spec, mixed in zip(IN_SLOTS, specs, found, strict=True):
        assert_equal(mixed, studio.expect(stack, spec), spec)
    assert_equal(draw(studio.engine, specs[-2:-1])[0], found[-2], specs[-2])


@pytest.mark.parametrize("number", range(len(MERGED)))
def test_merged_kinds_equal_diffusers(studio: TransformerStudio, number: int) -> None:
    """Norms, biases, whole differences and products, and stacks of them with magnitudes."""
    stack, changes = MERGED[number]
    spec = studio.spec(stack, **changes)

    found = draw_merged(studio.engine, spec)

    assert any(studio.adapters[name].is_merged_only for name in stack)
    assert_equal(found, studio.expect(stack, spec), spec)


def test_kinds_are_seen(studio: TransformerStudio) -> None:
    """The comparison means something: each kind moves the latents by far more."""
    bare = {
        prompt: draw(studio.engine, [studio.spec({}, prompt=prompt)])[0]
        for prompt in (PROMPT, TAUGHT)
    }
    for stack, changes in (*IN_SLOTS[2:5], IN_SLOTS[0], *MERGED[:2]):
        spec = studio.spec(stack, prompt=changes.get("prompt", PROMPT))
        found = draw_merged(studio.engine, spec)
        assert (found - bare[spec.drawing.prompt]).abs().max() > VISIBLE, stack


@pytest.mark.parametrize("kind", PEFT_CONFIGS)
def test_what_peft_merges_is_the_same(studio: TransformerStudio, kind: str, tmp_path: Path) -> None:
    """A folder that PEFT saved, against its own merge; rotations are computed in float32 there."""
    pipe = studio.dressed({})
    files, merged = write_heavy(pipe, kind, folder=tmp_path / kind, seed=7)
    adapter = pack_file(
        files[0],
        beside=files[1:],
        profile=studio.engine.profile,
        folder=tmp_path,
        dtype=torch.float64,
    )
    worn = replace(studio.spec({}, steps=2), stack=((adapter, 1.0),))

    found = draw_merged(studio.engine, worn)

    tolerance = 1e-3 if kind in ("oft", "boft") else 1e-6
    assert_equal(found, studio.run(merged, worn), worn, tolerance=tolerance)
    bare = draw(studio.engine, [studio.spec({}, steps=2)])[0]
    assert (found - bare).abs().max() > VISIBLE
