# SPDX-License-Identifier: Apache-2.0
"""Weights in eight bits under adapters that are not, against diffusers' own layerwise casting."""

import warnings
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from diffusers.hooks.layerwise_casting import DEFAULT_SKIP_MODULES_PATTERN
from safetensors.torch import load_file, save_file

from tabard_server.engine.load_engine import EngineSettings, load_engine
from tests.bases import load_pipeline
from tests.server.adapters.packing import pack_file
from tests.server.engine.tiny_base import draw, draw_merged
from tests.server.engine.transformers.studio import (
    FAMILIES,
    TransformerStudio,
    open_transformer_studio,
)

pytestmark = pytest.mark.oracle

FP8 = torch.float8_e4m3fn
WEIGHT = 0.7
TOLERANCE = 1e-9
BF16_TOLERANCE = 0.04
"""Of the latents: bfloat16 has eight bits of a number, and each of four steps adds its own."""


@dataclass(frozen=True, kw_only=True)
class Narrow:
    """A base whose biases are numbers of eight bits, as diffusers' casting keeps biases, too."""

    studio: TransformerStudio

    def engine(self, dtype: str) -> TransformerStudio:
        """Return the studio with an engine that keeps its weights in eight bits."""
        engine = load_engine(
            EngineSettings(
                base=str(self.studio.base),
                device="cpu",
                dtype=dtype,
                storage_dtype="float8_e4m3fn",
            )
        )
        folder = self.studio.base.parent / dtype
        folder.mkdir()
        adapter = pack_file(
            self.studio.files["lora"].file,
            profile=engine.profile,
            folder=folder,
            dtype=getattr(torch, dtype),
        )
        return replace(self.studio, engine=engine, adapters={"lora": adapter})

    def expect(self, dtype: torch.dtype, spec: Any) -> torch.Tensor:
        """Return what diffusers draws with its casting, and peft's LoRA in the wide dtype."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pipe = load_pipeline(self.studio.base, torch_dtype=dtype)
            pipe.set_progress_bar_config(disable=True)
            file = self.studio.files["lora"].file
            pipe.load_lora_weights(str(file), adapter_name="lora")
            pipe.set_adapters(["lora"], adapter_weights=[WEIGHT])
            pipe.transformer.enable_layerwise_casting(
                storage_dtype=FP8, compute_dtype=dtype, skip_modules_pattern=_skipped(pipe)
            )
            kept = {name: one.dtype for name, one in pipe.transformer.named_parameters()}
            assert {one for name, one in kept.items() if "lora_" in name} == {dtype}
            assert FP8 in kept.values()
            return self.studio.run(pipe, spec)


def _skipped(pipe: Any) -> tuple[str, ...]:
    own = pipe.transformer._skip_layerwise_casting_patterns or ()
    return (*DEFAULT_SKIP_MODULES_PATTERN, *own, "lora_")


@pytest.fixture(scope="module", params=FAMILIES)
def narrow(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Narrow:
    folder = tmp_path_factory.mktemp(f"{request.param}-narrow")
    studio = open_transformer_studio(folder, family=request.param)
    (file,) = (studio.base / "transformer").glob("*.safetensors")
    tensors = {
        name: one.to(FP8).float() if name.endswith(".bias") else one
        for name, one in load_file(str(file)).items()
    }
    save_file(tensors, str(file), metadata={"format": "pt"})
    return Narrow(studio=studio)


def test_adapter_over_eight_bits_equals_diffusers(narrow: Narrow) -> None:
    """In slots and on the merged copy nothing but the base's own weights is rounded."""
    studio = narrow.engine("float64")
    spec, bare = studio.spec({"lora": WEIGHT}), studio.spec({})

    found, plain = draw(studio.engine, [spec, bare])

    expected = narrow.expect(torch.float64, spec)
    bound = TOLERANCE * max(1.0, float(expected.abs().max()))
    assert float((found - expected).abs().max()) <= bound
    assert float((draw_merged(studio.engine, spec) - expected).abs().max()) <= bound
    assert (found - plain).abs().max() > 0.01


def test_adapter_in_bfloat16_is_as_near_as_diffusers(narrow: Narrow) -> None:
    """As it is served: both round in every layer, and are far nearer than the adapter moves."""
    studio = narrow.engine("bfloat16")
    spec, bare = studio.spec({"lora": WEIGHT}), studio.spec({})

    found, plain = (one.double() for one in draw(studio.engine, [spec, bare]))

    layers = studio.engine.slots._layers.values()
    assert {one.slot_up.dtype for one in layers if one.slot_up.numel()} == {torch.bfloat16}
    theirs = narrow.expect(torch.bfloat16, spec).double()
    off = float((found - theirs).norm())
    assert off <= BF16_TOLERANCE * float(theirs.norm())
    assert float((found - plain).norm()) > 10 * off
