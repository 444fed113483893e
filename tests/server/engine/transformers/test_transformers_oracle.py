# SPDX-License-Identifier: Apache-2.0
"""Bases with a transformer against diffusers alone, in float64: every sampler in every stack."""

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tabard_server.engine.row import Row
from tabard_server.engine.slots.slotted_layers import make_tables
from tabard_server.engine_port.drawing import SkippedLayers
from tabard_server.engine_port.row_spec import RowSpec
from tests.server.drawings import picture_of
from tests.server.engine.tiny_base import draw, draw_merged
from tests.server.engine.transformers.studio import (
    FAMILIES,
    SIZE,
    TransformerStudio,
    open_transformer_studio,
)

pytestmark = pytest.mark.oracle

TOLERANCE = 1e-9
VISIBLE = 0.01
SWAPS = 1_000
STACKS: Mapping[str, Mapping[str, float]] = {
    "none": {},
    "lora": {"lora": 1.0},
    "fused": {"fused": 0.8},
    "both": {"fused": 0.5, "lora": -0.7},
}


@pytest.fixture(scope="module", params=FAMILIES)
def studio(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> TransformerStudio:
    return open_transformer_studio(tmp_path_factory.mktemp(request.param), family=request.param)


def assert_equal(found: torch.Tensor, expected: torch.Tensor, spec: RowSpec) -> None:
    """Equal to 1e-9 of the largest value."""
    bound = TOLERANCE * max(1.0, float(expected.abs().max()))
    assert float((found - expected).abs().max()) <= bound, spec.drawing.sampler


def _compare(
    studio: TransformerStudio, rows: list[tuple[Mapping[str, float], dict[str, Any]]]
) -> None:
    """Draw all in one batch; all are what diffusers draws, and so is the first alone."""
    specs = [studio.spec(stack, **changes) for stack, changes in rows]
    expected = [studio.expect(stack, spec) for (stack, _), spec in zip(rows, specs, strict=True)]
    for spec, mixed, theirs in zip(specs, draw(studio.engine, specs), expected, strict=True):
        assert_equal(mixed, theirs, spec)
    assert_equal(draw(studio.engine, specs[:1])[0], expected[0], specs[0])


@pytest.mark.parametrize("name", STACKS)
def test_every_sampler_equals_diffusers(studio: TransformerStudio, name: str) -> None:
    """Rows of all samplers share passes, and each is what diffusers alone draws."""
    samplers = studio.engine.facts.samplers
    _compare(studio, [(STACKS[name], {"sampler": one}) for one in samplers])


def test_stacks_are_seen(studio: TransformerStudio) -> None:
    """The comparison means something: each stack moves the latents by far more."""
    specs = [studio.spec(stack) for stack in STACKS.values()]
    found = draw(studio.engine, specs)
    for number, left in enumerate(found):
        for right in found[number + 1 :]:
            assert (left - right).abs().max() > VISIBLE


def test_mixed_rows_equal_diffusers(studio: TransformerStudio) -> None:
    """Other stacks, samplers, steps, sizes of guidance and prompts in one batch."""
    rows: list[tuple[Mapping[str, float], dict[str, Any]]] = [
        ({}, {"steps": 3}),
        (STACKS["lora"], {"steps": 6, "prompt": "a blue star on white", "seed": 5}),
        (STACKS["fused"], {"sampler": "dpmpp_2m", "guidance_scale": 2.0}),
        (STACKS["both"], {"sampler": "lcm", "steps": 2}),
    ]
    _compare(studio, rows)


def test_merged_copy_equals_diffusers(studio: TransformerStudio) -> None:
    """A merged stack is the same, and one that is only worn merged."""
    for stack in (STACKS["both"], {"whole": 0.7}):
        spec = studio.spec(stack)
        assert_equal(draw_merged(studio.engine, spec), studio.expect(stack, spec), spec)


@pytest.mark.parametrize("strength", [0.3, 0.75, 1.0])
@pytest.mark.parametrize("has_mask", [False, True])
def test_redrawn_picture_equals_diffusers(
    studio: TransformerStudio, strength: float, has_mask: bool
) -> None:
    """A picture is redrawn, or a hole in it, as the pipelines of these bases do."""
    dice = np.random.default_rng(1)
    pixels = dice.integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
    mask = None
    if has_mask:
        mask = np.zeros((SIZE[1], SIZE[0]), np.uint8)
        mask[8:40, 16:56] = 255
    picture = picture_of(pixels, mask=mask)
    changes = {"picture": picture, "strength": strength, "steps": 5}
    _compare(studio, [(STACKS["fused"], changes), ({}, changes | {"steps": 7, "seed": 8})])


@pytest.mark.parametrize("studio", ["sd3"], indirect=True)
def test_skipped_layers_equal_diffusers(studio: TransformerStudio) -> None:
    """Rows that leave out the same layers, others and none, in one batch."""
    skipped = [
        SkippedLayers(layers=(1,), start=0.01, stop=0.6),
        SkippedLayers(layers=(0, 2), scale=1.5, start=0.3, stop=1.0),
    ]
    rows: list[tuple[Mapping[str, float], dict[str, Any]]] = [
        (STACKS["lora"], {"skipped": skipped[0], "steps": 5}),
        ({}, {}),
        (STACKS["fused"], {"skipped": skipped[1], "steps": 5}),
        ({}, {"skipped": skipped[0], "seed": 9}),
    ]
    _compare(studio, rows)


@pytest.mark.parametrize("studio", ["sd3"], indirect=True)
def test_skipped_clip_layers_equal_diffusers(studio: TransformerStudio) -> None:
    """The prompt may leave out last layers of the CLIPs, where the network reads them."""
    _compare(studio, [({}, {"clip_skip": 1}), ({}, {"clip_skip": 2})])


@pytest.mark.parametrize("family", FAMILIES)
def test_swaps_never_recompile_a_transformer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, family: str
) -> None:
    """Other stacks at other weights, merged steps among them, run the graphs of the first few."""
    compile_, dice = torch.compile, random.Random(3)

    def eager(function: Any, **options: Any) -> Any:
        return compile_(function, **{**options, "backend": "eager", "mode": None})

    monkeypatch.setattr(torch, "compile", eager)
    torch._dynamo.reset()
    studio = open_transformer_studio(tmp_path, family=family)
    engine, denoiser = studio.engine, studio.engine._denoiser
    for layer in engine.slots._layers.values():
        make_tables(layer)
    denoiser._is_captured, denoiser._run = True, denoiser._capture()

    def swap(*, is_merged: bool) -> None:
        worn = [dice.choice(["lora", "fused"])] * 2 if is_merged else ["lora", "fused"]
        weights = [dice.uniform(-1, 1)] * 2 if is_merged else [dice.uniform(-1, 1) for _ in worn]
        specs = [
            studio.spec({name: weight}, seed=seed)
            for seed, (name, weight) in enumerate(zip(worn, weights, strict=True))
        ]
        rows = [row for row in engine.open_rows(specs) if isinstance(row, Row)]
        assert len(rows) == len(specs)
        engine.step(rows, is_merged=is_merged)
        for row in rows:
            engine.close_row(row)
        engine.slots.evict_idle()

    for is_merged in (False, True, False, True, True, False):
        swap(is_merged=is_merged)
    with torch.compiler.set_stance("fail_on_recompile"):
        for number in range(SWAPS):
            swap(is_merged=number % 5 == 0)
    torch._dynamo.reset()

    assert engine.slots.loads > SWAPS
