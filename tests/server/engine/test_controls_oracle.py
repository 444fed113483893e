# SPDX-License-Identifier: Apache-2.0
"""Adapters by part, by block and over the steps against diffusers and peft alone, in float64.

The reference sets the scale of every layer of peft's before a step and in diffusers' callback after
it; which layer lies in which block is written down by hand.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import torch
from peft.tuners.tuners_utils import BaseTunerLayer

from tabard_server.engine_port.row_spec import RowSpec
from tabard_server.engine_port.weights.strength import Controls, Point, Strength
from tests.oracle import Worn
from tests.server.drawings import row_spec
from tests.server.engine.tiny_base import Studio, draw, draw_merged, open_studio, run_of

pytestmark = pytest.mark.oracle

TOLERANCE = 1e-9
VISIBLE = 0.005
STEPS = 5
BLOCKS: Mapping[str, str] = {
    "conv_in": "IN00",
    "down_blocks.0.resnets.0": "IN01",
    "down_blocks.0.attentions.0": "IN01",
    "down_blocks.0.downsamplers.0": "IN02",
    "down_blocks.1.resnets.0": "IN03",
    "down_blocks.1.attentions.0": "IN03",
    "mid_block": "MID",
    "up_blocks.0.resnets.0": "OUT00",
    "up_blocks.0.attentions.0": "OUT00",
    "up_blocks.0.resnets.1": "OUT01",
    "up_blocks.0.attentions.1": "OUT01",
    "up_blocks.0.upsamplers.0": "OUT01",
    "up_blocks.1.resnets.0": "OUT02",
    "up_blocks.1.attentions.0": "OUT02",
    "up_blocks.1.resnets.1": "OUT03",
    "up_blocks.1.attentions.1": "OUT03",
}
"""Of a base with two blocks a side and one layer each."""


class Case:
    """One adapter as it is asked for, and what that means, written down once more.

    Attributes:
        weight: As the engine is told.
        text: Its weight in the text encoders.
        steps: Its weight in the UNet, at each of five.
        block: By block: what that is multiplied with.
    """

    def __init__(
        self,
        said: float,
        *,
        text: float,
        steps: Sequence[float],
        block: Mapping[str, float] | None = None,
        **controls: Any,
    ) -> None:
        self.text, self.steps, self.block = text, steps, block or {}
        self.weight: Any = said
        if block or controls:
            blocks = tuple(self.block.items())
            self.weight = Strength(weight=said, controls=Controls(blocks=blocks, **controls))

    def at(self, module: str, *, step: int) -> float:
        """The scale of one layer of the UNet at a step."""
        block = next((b for prefix, b in BLOCKS.items() if module.startswith(prefix)), "")
        return self.steps[step] * self.block.get(block, 1.0)


CASES: Mapping[str, Case] = {
    "plain": Case(0.7, text=0.7, steps=[0.7] * 5),
    "parts": Case(1.0, text=0.3, steps=[0.9] * 5, text_encoder=0.3, unet=(Point(0.9, 0.0),)),
    "unet_only": Case(0.8, text=0.0, steps=[0.8] * 5, text_encoder=0.0),
    "text_only": Case(0.8, text=0.8, steps=[0.0] * 5, unet=(Point(0.0, 0.0),)),
    "blocks": Case(
        0.9, text=0.9, steps=[0.9] * 5, block={"IN01": 0.0, "IN03": 0.5, "MID": 1.5, "OUT02": -0.5}
    ),
    "late": Case(0.8, text=0.8, steps=[0, 0, 0.8, 0.8, 0.8], start=0.4),
    "early": Case(0.8, text=0.8, steps=[0.8, 0.8, 0.8, 0, 0], end=0.6),
    "curve": Case(
        0.2,
        text=0.2,
        steps=[0.2, 0.6, 1.0, 0.9, 0.8],
        unet=(Point(0.2, 0.0), Point(1.0, 0.4), Point(0.8, 0.8)),
    ),
    "all": Case(
        0.5,
        text=0.4,
        steps=[0, 0.7, 0.9, 1.0, 0],
        block={"OUT00": 0.25, "OUT03": 0.0},
        text_encoder=0.4,
        unet=(Point(0.5, 0.0), Point(0.9, 0.4), Point(1.0, 0.6)),
        start=0.2,
        end=0.8,
    ),
}
NAMES = ("lora", "conv", "dora", "text")
STACKS: Sequence[Mapping[str, str]] = [
    *({name: case} for name in ("lora", "conv", "dora") for case in CASES),
    {"lora": "plain", "dora": "blocks", "text": "parts"},
    {"dora": "all", "lora": "late", "conv": "blocks"},
    {"conv": "curve", "dora": "early", "text": "all"},
]


@pytest.fixture(scope="module", params=["sd1", "sdxl"])
def studio(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Studio:
    return open_studio(tmp_path_factory.mktemp(request.param), family=request.param)


def spec_of(studio: Studio, stack: Mapping[str, str], **changes: Any) -> RowSpec:
    """A row that wears these adapters, each as its case says."""
    worn = tuple((studio.adapters[name], CASES[case].weight) for name, case in stack.items())
    return row_spec(stack=worn, **{"negative_prompt": "blue", "steps": STEPS} | changes)


def expect(studio: Studio, stack: Mapping[str, str], spec: RowSpec) -> torch.Tensor:
    """The latents that diffusers comes to with every layer set by hand before every step."""
    pipe = studio.oracle.pipe
    worn = [Worn(file=studio.files[name]) for name in stack]
    cases = {f"a{number}": CASES[case] for number, case in enumerate(stack.values())}
    texts = [getattr(pipe, n) for n in ("text_encoder", "text_encoder_2") if hasattr(pipe, n)]

    def set_step(step: int) -> None:
        for name, layer in layers_of(pipe.unet):
            set_layer(layer, {key: case.at(name, step=step) for key, case in cases.items()})

    def after(_pipe: Any, step: int, _timestep: Any, kept: dict[str, Any]) -> dict[str, Any]:
        if step + 1 < STEPS:
            set_step(step + 1)
        return kept

    with studio.oracle._wearing(worn):
        for text in texts:
            for _, layer in layers_of(text):
                set_layer(layer, {key: case.text for key, case in cases.items()})
        set_step(0)
        run = run_of(spec) | {"callback_on_step_end": after, "output_type": "latent"}
        return studio.oracle._run(pipe, **run)[None]


def layers_of(model: Any) -> list[tuple[str, BaseTunerLayer]]:
    return [(n, one) for n, one in model.named_modules() if isinstance(one, BaseTunerLayer)]


def set_layer(layer: BaseTunerLayer, weights: Mapping[str, float]) -> None:
    """Wear adapters in a layer; those of weight 0 not at all, magnitudes included."""
    worn = {key: weight for key, weight in weights.items() if weight}
    layer.enable_adapters(bool(worn))
    if worn:
        layer.set_adapter([key for key in worn if key in layer.lora_A])
        for key, weight in worn.items():
            if key in layer.lora_A:
                layer.set_scale(key, weight)


def test_controls_equal_diffusers(studio: Studio) -> None:
    """Rows of all controls share passes, and each is what diffusers and peft alone draw."""
    specs = [spec_of(studio, stack, seed=number) for number, stack in enumerate(STACKS)]

    found = [
        one
        for group in (specs[at : at + 8] for at in range(0, len(specs), 8))
        for one in draw(studio.engine, group)
    ]

    for stack, spec, mixed in zip(STACKS, specs, found, strict=True):
        expected = expect(studio, stack, spec)
        bound = TOLERANCE * max(1.0, float(expected.abs().max()))
        assert float((mixed - expected).abs().max()) <= bound, stack


def test_every_case_is_another_picture(studio: Studio) -> None:
    """The comparison means something: no two cases draw nearly the same."""
    names = [name for name in CASES if name != "text_only"]
    specs = [spec_of(studio, {"dora": name}) for name in names]

    found = dict(zip(names, draw(studio.engine, specs), strict=True))

    for left, right in itertools.combinations(names, 2):
        # This file changes the UNet only, where one weight for the text changes nothing.
        if {left, right} != {"unet_only", "plain"}:
            assert (found[left] - found[right]).abs().max() > VISIBLE, (left, right)


@pytest.mark.parametrize("case", ["parts", "unet_only", "text_only", "blocks"])
def test_merged_copy_wears_the_same(studio: Studio, case: str) -> None:
    """What is the same at every step is drawn on a merged copy as it is beside other rows."""
    spec = spec_of(studio, {"dora": case, "kohya": case})

    (expected,) = draw(studio.engine, [spec])

    assert spec.is_steady
    torch.testing.assert_close(draw_merged(studio.engine, spec), expected, rtol=1e-8, atol=1e-8)
