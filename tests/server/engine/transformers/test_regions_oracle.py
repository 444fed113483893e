# SPDX-License-Identifier: Apache-2.0
"""Pictures in regions on a transformer, in float64: diffusers' own walk, one pass for each part.

The pipelines walk as they do; the model that they call is one that runs theirs once for each part
with what that part is told and wears, unmasked and at its own length, and mixes pixel by pixel.
"""

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch

from tabard_server.admission.regions.areas import draw_boxes, share_out
from tabard_server.engine_port.prompt_style import PromptStyle
from tabard_server.engine_port.regions import Box, Region
from tabard_server.engine_port.row_spec import RowSpec
from tabard_server.engine_port.weights.strength import Controls, Strength
from tests.server.engine.controls.control_cases import layers_of, set_layer
from tests.server.engine.tiny_base import draw
from tests.server.engine.transformers.studio import (
    FAMILIES,
    PROMPT,
    SIZE,
    TransformerStudio,
    open_transformer_studio,
)

pytestmark = pytest.mark.oracle

TOLERANCE = 1e-9
VISIBLE = 0.01
STEPS = 4
LONG = "a red circle, " * 70
"""More than 256 tokens, which a T5 of SD3.5 reads as 512; one of Flux reads 512 anyway."""
STYLE = PromptStyle(windows_max=2)
CONTROLS = Controls(
    region="left", text_encoder=0.3, start=0.25, blocks=(("D00", 0.5), ("D01", 0.0))
)
"""Of a LoRA: less in the text encoders, from the second of four steps on, and by blocks."""
WEIGHT = 0.8
_BLOCK = re.compile(r"transformer_blocks\.(\d+)\.")


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part of a picture, as it is asked for, written down by hand.

    Attributes:
        columns: Which columns of latents it holds.
        prompt: What is drawn there.
        is_dressed: Whether the LoRA is worn there.
    """

    columns: slice
    prompt: str
    is_dressed: bool


LEFT = Part(columns=slice(0, 8), prompt=LONG, is_dressed=True)
REST = Part(columns=slice(8, None), prompt=PROMPT, is_dressed=False)
PARTS = {"left": LEFT, "": REST}


@pytest.fixture(scope="module", params=FAMILIES)
def studio(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> TransformerStudio:
    return open_transformer_studio(tmp_path_factory.mktemp(request.param), family=request.param)


class MixedTransformer(torch.nn.Module):
    """What a pipeline calls in place of its transformer: it runs that once for each part.

    Attributes:
        steps: How often it was called.
    """

    def __init__(self, pipe: Any, *, family: str) -> None:
        super().__init__()
        self._pipe, self._family, self.steps = pipe, family, 0
        self._inner = pipe.transformer
        self._told = {name: self._encode(part) for name, part in PARTS.items()}

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("_inner"), name)

    def forward(self, hidden_states: torch.Tensor, **given: Any) -> Any:
        """Mix what the parts say, each of its own pixels."""
        mixed = torch.zeros_like(hidden_states)
        for name, part in PARTS.items():
            self._wear(part, models=[self._inner], step=self.steps)
            share = self._share(part).to(mixed)
            told = {**given, **self._told[name]}
            mixed += share * self._inner(hidden_states=hidden_states, **told)[0]
        self.steps += 1
        return (mixed,)

    def _encode(self, part: Part) -> dict[str, torch.Tensor]:
        texts = [one for name, one in self._pipe.components.items() if "text_encoder" in name]
        self._wear(part, models=texts, step=None)
        if self._family == "flux":
            text, pooled, ids = self._pipe.encode_prompt(part.prompt, None, max_sequence_length=512)
            return {"encoder_hidden_states": text, "pooled_projections": pooled, "txt_ids": ids}
        text, no_text, pooled, no_pooled = self._pipe.encode_prompt(
            part.prompt,
            None,
            None,
            negative_prompt="blue",
            max_sequence_length=512 if part.prompt == LONG else 256,
        )
        return {
            "encoder_hidden_states": torch.cat([no_text, text]),
            "pooled_projections": torch.cat([no_pooled, pooled]),
        }

    def _wear(self, part: Part, *, models: Sequence[Any], step: int | None) -> None:
        for module, layer in (one for model in models for one in layers_of(model)):
            scale = 0.3 if step is None else _scale_of(module, step=step)
            set_layer(layer, {"lora": scale if part.is_dressed else 0.0})

    def _share(self, part: Part) -> torch.Tensor:
        factor = self._pipe.vae_scale_factor
        share = torch.zeros(1, 16, SIZE[1] // factor, SIZE[0] // factor)
        share[..., part.columns] = 1.0
        if self._family == "flux":
            packed: torch.Tensor = self._pipe._pack_latents(share, *share.shape)
            return packed
        return share


def _scale_of(module: str, *, step: int) -> float:
    if step < 1:
        return 0.0
    if "single_" not in module and (found := _BLOCK.search(module)):
        return WEIGHT * {0: 0.5, 1: 0.0}.get(int(found[1]), 1.0)
    return WEIGHT


def expect(studio: TransformerStudio, spec: RowSpec) -> torch.Tensor:
    """The latents of a picture in the two parts."""
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        pipe = studio.dressed({"lora": 1.0})
        pipe.transformer = MixedTransformer(pipe, family=studio.family)
        return studio.run(pipe, spec)


def spec_of(studio: TransformerStudio, **changes: Any) -> RowSpec:
    """The row of the two parts, by the way of the server."""
    mask = draw_boxes([Box(0, 0, 0.5, 1)], size=SIZE)
    (left,), rest = share_out([mask], factor=studio.engine.facts.latent_factor)
    assert rest is not None and isinstance(left, np.ndarray)
    regions = (
        Region(name="", shares=rest, prompt=PROMPT),
        Region(name="left", shares=left, prompt=LONG),
    )
    worn: Mapping[str, Any] = {"lora": Strength(weight=WEIGHT, controls=CONTROLS)}
    values = {"steps": STEPS, "regions": regions, "style": STYLE}
    return studio.spec(worn, **values | changes)


def test_regions_of_two_lengths_equal_diffusers(studio: TransformerStudio) -> None:
    """A long prompt and a LoRA by block and step in one half, beside other pictures."""
    spec = spec_of(studio)
    plain = studio.spec({"fused": 0.7}, seed=5, steps=3)
    long = studio.spec({}, seed=6, prompt=LONG, style=STYLE)

    found, beside, _ = draw(studio.engine, [spec, plain, long])

    expected = expect(studio, spec)
    bound = TOLERANCE * max(1.0, float(expected.abs().max()))
    assert float((found - expected).abs().max()) <= bound
    assert float((draw(studio.engine, [spec])[0] - expected).abs().max()) <= bound
    assert float((beside - studio.expect({"fused": 0.7}, plain)).abs().max()) <= bound


def test_what_a_part_is_told_shows(studio: TransformerStudio) -> None:
    """The comparison means something: the words, the LoRA, its window and its blocks all show."""
    spec = spec_of(studio)
    ((adapter, strength),) = spec.stack
    assert isinstance(strength, Strength)
    rest, left = spec.drawing.regions
    others = [
        replace(spec, stack=()),
        replace(spec, stack=((adapter, replace(strength, controls=replace(CONTROLS, start=0.0))),)),
        replace(spec, stack=((adapter, replace(strength, controls=replace(CONTROLS, blocks=()))),)),
        replace(spec, drawing=replace(spec.drawing, regions=(rest, replace(left, prompt=PROMPT)))),
    ]

    first, *found = draw(studio.engine, [spec, *others])

    for one in found:
        assert (first - one).abs().max() > VISIBLE
