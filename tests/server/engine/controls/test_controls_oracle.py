# SPDX-License-Identifier: Apache-2.0
"""Adapters by part, by block and over the steps against diffusers and peft alone, in float64.

The reference sets the scale of every layer of peft's before a step and in diffusers' callback after
it.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import torch

from tabard_server.engine_port.row_spec import RowSpec
from tests.oracle import Worn
from tests.server.drawings import row_spec
from tests.server.engine.controls.control_cases import CASES, layers_of, set_layer
from tests.server.engine.tiny_base import Studio, draw, draw_merged, open_studio, run_of

pytestmark = pytest.mark.oracle

TOLERANCE = 1e-9
VISIBLE = 0.005
STEPS = 5
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
