# SPDX-License-Identifier: Apache-2.0
"""Whole tiny pipelines that wear convolutions and magnitudes equal diffusers, peft and merging."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from tabard_server.adapters.host_adapter import HostAdapter
from tabard_server.engine.engine import Engine
from tabard_server.engine.load_engine import EngineSettings, load_engine
from tabard_server.engine_port.row_spec import RowSpec
from tests.bases import (
    make_tiny_base,
    text_encoders,
    write_diffusers_lora,
    write_inversion,
    write_inversion_pair,
)
from tests.oracle import Oracle, Worn
from tests.server.adapters.packing import pack_file
from tests.server.drawings import row_spec
from tests.server.engine.slots.one_layer import merge
from tests.server.engine.tiny_base import draw, run_of
from tests.writers import write_locon, write_peft_lora

pytestmark = pytest.mark.oracle

TOLERANCE = 1e-9
NAMES = ("lora", "conv", "dora", "dora2", "words", "locon", "tucker", "decomposed")
Stack = Sequence[tuple[str, float]]


@dataclass(frozen=True, kw_only=True)
class Atelier:
    """One family's engine and oracle in float64, and adapters of every kind."""

    engine: Engine
    oracle: Oracle
    files: dict[str, Path]
    adapters: dict[str, HostAdapter]

    def spec(self, stack: Stack, **changes: Any) -> RowSpec:
        """A row that wears these, in this order."""
        worn = tuple((self.adapters[name], weight) for name, weight in stack)
        return row_spec(stack=worn, **{"negative_prompt": "blue", "steps": 2} | changes)

    def by_diffusers(self, stack: Stack, spec: RowSpec) -> torch.Tensor:
        """The latents of diffusers and peft."""
        worn = [Worn(file=self.files[name], weight=weight) for name, weight in stack]
        return self.oracle.draw_latents([run_of(spec)], worn=worn)[0]

    def by_merging(self, stack: Stack, spec: RowSpec) -> torch.Tensor:
        """The latents of a plain pipeline into whose weights the stack was merged."""
        pipe = copy.copy(self.oracle.pipe)
        for name in ("unet", *text_encoders(pipe)):
            setattr(pipe, name, copy.deepcopy(getattr(pipe, name)))
        for key in {key for name, _ in stack for key in self.adapters[name].layers}:
            model, module = getattr(pipe, key[0]), key[1]
            names = dict(model.named_modules())
            found = module if module in names else module.removeprefix("text_model.")
            layers = [(self.adapters[name].layers.get(key), weight) for name, weight in stack]
            parent, _, child = found.rpartition(".")
            merged = merge(names[found], [(one, w) for one, w in layers if one is not None])
            setattr(names[parent], child, merged)
        return self.oracle._run(pipe, output_type="latent", **run_of(spec))[None]


@pytest.fixture(scope="module", params=["sd1", "sdxl"])
def atelier(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Atelier:
    folder = tmp_path_factory.mktemp(request.param)
    base = make_tiny_base(folder / "base", family=request.param)
    files = {name: folder / f"{name}.safetensors" for name in NAMES}
    write_diffusers_lora(base, files["lora"], seed=1)
    write_peft_lora(base, files["conv"], seed=2, use_dora=False)
    # diffusers drops magnitudes of text encoders without a word: merging is the reference there.
    write_peft_lora(base, files["dora"], seed=3, text_targets=())
    write_peft_lora(base, files["dora2"], seed=4, text_targets=())
    write_peft_lora(base, files["words"], seed=8, targets=())
    write_locon(base, files["locon"], seed=5)
    write_locon(base, files["tucker"], seed=6, is_tucker=True)
    write_locon(base, files["decomposed"], seed=7, is_tucker=True, has_magnitude=True)
    engine = load_engine(EngineSettings(base=str(base), device="cpu", dtype="float64"))
    adapters = {
        name: pack_file(file, profile=engine.profile, folder=folder, dtype=torch.float64)
        for name, file in files.items()
    }
    oracle = Oracle(base, dtype=torch.float64)
    return Atelier(engine=engine, oracle=oracle, files=files, adapters=adapters)


def assert_equal(found: torch.Tensor, expected: torch.Tensor) -> None:
    """Equal to 1e-9 of the largest value."""
    bound = TOLERANCE * float(expected.abs().max())
    torch.testing.assert_close(found, expected, rtol=0, atol=bound)


BY_DIFFUSERS: dict[str, Stack] = {
    "convolutions": [("conv", 0.7)],
    "DoRA": [("dora", 1.0)],
    "DoRA in part": [("dora", 0.6)],
    "DoRA then LoRA": [("dora", 0.8), ("lora", 0.5)],
    "LoRA then DoRA": [("conv", 0.5), ("dora", 0.8)],
    "two DoRAs": [("dora", 0.7), ("dora2", -0.4)],
}


@pytest.mark.parametrize("name", BY_DIFFUSERS)
def test_stack_equals_diffusers(atelier: Atelier, name: str) -> None:
    """Files of diffusers' own writer give what diffusers and peft give alone."""
    stack = BY_DIFFUSERS[name]
    spec = atelier.spec(stack)

    (found,) = draw(atelier.engine, [spec])

    assert_equal(found, atelier.by_diffusers(stack, spec))


BY_MERGING: dict[str, Stack] = {
    "LoCon": [("locon", 1.0)],
    "Tucker": [("tucker", 0.8)],
    "LyCORIS DoRA": [("decomposed", 0.9)],
    "DoRA of text encoders": [("words", 0.8)],
    "everything": [("tucker", 0.3), ("decomposed", 0.5), ("words", 0.4), ("locon", -0.3)],
}


@pytest.mark.parametrize("name", BY_MERGING)
def test_stack_equals_merged_weights(atelier: Atelier, name: str) -> None:
    """What diffusers does not load equals the base with it merged in."""
    stack = BY_MERGING[name]
    spec = atelier.spec(stack)

    (found,) = draw(atelier.engine, [spec])

    assert_equal(found, atelier.by_merging(stack, spec))


def test_mixed_rows_equal_lone_rows(atelier: Atelier) -> None:
    """Rows of every kind, stacks and the bare base share passes and stay what they are alone."""
    specs = [
        atelier.spec([], seed=1),
        atelier.spec([("dora", 1.0)], seed=2, sampler="euler_a"),
        atelier.spec([("conv", 0.8), ("words", 1.0)], seed=3, steps=3),
        atelier.spec([("tucker", 0.5), ("decomposed", 0.7)], seed=4, guidance_scale=1.0),
        atelier.spec([("lora", 1.0)], seed=5),
        atelier.spec([("dora2", -0.5), ("lora", 0.3), ("dora", 0.2)], seed=6),
    ]

    together = draw(atelier.engine, specs)

    alone = [draw(atelier.engine, [spec])[0] for spec in specs]
    for mixed, lone in zip(together, alone, strict=True):
        assert_equal(mixed, lone)


def test_every_kind_changes_picture(atelier: Atelier) -> None:
    """The comparisons above mean something."""
    bare = draw(atelier.engine, [atelier.spec([])])[0]

    for name in NAMES:
        (worn,) = draw(atelier.engine, [atelier.spec([(name, 1.0)])])
        assert (worn - bare).abs().max() > 0.01, name


def test_base_is_itself_after_all(atelier: Atelier) -> None:
    """After any history of convolutions and magnitudes the base draws the same bytes."""
    before = draw(atelier.engine, [atelier.spec([])])[0]
    for name in NAMES:
        draw(atelier.engine, [atelier.spec([(name, 1.0)], steps=1)])
        atelier.engine.slots.evict_idle()

    after = draw(atelier.engine, [atelier.spec([])])[0]

    assert torch.equal(before, after)


TOKEN = "<plum>"


def test_bundled_words_equal_two_files(atelier: Atelier, tmp_path: Path) -> None:
    """Layers and words of one file draw what diffusers draws with the two files they are of."""
    words, bundle = tmp_path / "words.safetensors", tmp_path / "bundle.safetensors"
    widths = atelier.engine.profile.token_widths
    if len(widths) == 2:
        write_inversion_pair(words, widths=(32, 48), vectors=2, seed=9)
    else:
        write_inversion(words, token="clip_l", width=32, vectors=2, seed=9)
    own = {f"bundle_emb.{TOKEN}.{key}": found for key, found in load_file(str(words)).items()}
    with safe_open(str(atelier.files["lora"]), "pt") as file:
        metadata = file.metadata()
    save_file({**load_file(str(atelier.files["lora"])), **own}, str(bundle), metadata=metadata)
    adapter = pack_file(
        bundle, profile=atelier.engine.profile, folder=tmp_path, dtype=torch.float64
    )
    prompt = f"a red {TOKEN} circle"
    spec = row_spec(stack=((adapter, 0.7),), prompt=prompt, negative_prompt="blue", steps=2)

    (found,) = draw(atelier.engine, [spec])

    worn = [
        Worn(file=atelier.files["lora"], weight=0.7),
        Worn(file=words, token=TOKEN),
    ]
    (expected,) = atelier.oracle.draw_latents([run_of(spec)], worn=worn)
    assert_equal(found, expected)
    (bare,) = draw(atelier.engine, [atelier.spec([("lora", 0.7)], prompt=prompt)])
    assert (found - bare).abs().max() > 0.01
