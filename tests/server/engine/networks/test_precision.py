# SPDX-License-Identifier: Apache-2.0
"""What a base is kept and computed in: bfloat16 where float16 overflows, eight bits if asked."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tabard_server.adapters.host_adapter import HostAdapter
from tabard_server.engine.base.loading import load_base
from tabard_server.engine.engine import Engine
from tabard_server.engine.load_engine import EngineSettings, load_engine
from tabard_server.engine.networks.network import empty_words
from tabard_server.engine.networks.precision import (
    Precision,
    component_dtype,
    stored_weights,
)
from tabard_server.engine.row import Row
from tabard_server.engine_port.errors import BaseNotLoadable
from tests.bases import load_pipeline, make_tiny_base
from tests.server.drawings import row_spec
from tests.server.engine.base.changed_folders import copy_folder

FP8 = torch.float8_e4m3fn
CPU = torch.device("cpu")


@pytest.fixture(scope="module", params=["sd3", "flux"])
def flow(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base with a transformer whose biases are numbers of eight bits."""
    base = make_tiny_base(tmp_path_factory.mktemp("flow") / "base", family=request.param)
    _round(base / "transformer", ending=".bias")
    return base


def _round(folder: Path, *, ending: str = "", names: Sequence[str] = ()) -> None:
    (file,) = folder.glob("*.safetensors")
    tensors = load_file(str(file))
    for name, tensor in tensors.items():
        if name in names or (ending and name.endswith(ending)):
            tensors[name] = tensor.to(FP8).float()
    save_file(tensors, str(file), metadata={"format": "pt"})


def _load(base: Path, *, storage: str | None = "float8_e4m3fn", **changes: Any) -> Engine:
    settings = EngineSettings(base=str(base), device="cpu", dtype="float32", storage_dtype=storage)
    return load_engine(replace(settings, **changes))


def test_network_says_what_diffusers_says(flow: Path) -> None:
    """Its own layerwise casting is the oracle: the same layers, and the same numbers to the bit."""
    theirs = load_pipeline(flow).transformer
    theirs.enable_layerwise_casting(storage_dtype=FP8, compute_dtype=torch.float32)
    narrow = {n for n, x in theirs.named_parameters() if x.dtype == FP8 and n.endswith("weight")}
    engine = _load(flow)

    network = engine._base.network
    words = empty_words(network, samples=2, tokens=7, device=CPU, dtype=torch.float32)
    generator = torch.Generator().manual_seed(1)
    words = replace(words, text=torch.randn(words.text.shape, generator=generator))
    latents = torch.randn(2, network.channels, 8, 8, generator=generator)
    arguments = network.arguments(latents, torch.tensor([900.0, 500.0]), words)
    with torch.inference_mode():
        found = network.module(**arguments, return_dict=False)[0]
        expected = theirs(**arguments, return_dict=False)[0]

    ours = {n for n, x in network.module.named_parameters() if x.dtype == FP8}
    assert ours == narrow and ours
    assert torch.equal(found, expected)


@pytest.mark.parametrize(
    ("name", "is_merged"), [("bare", False), ("kohya", False), ("kohya", True)]
)
def test_pictures_are_those_of_rounded_weights(
    tiny_base: Path, tmp_path: Path, adapters: dict[str, HostAdapter], name: str, is_merged: bool
) -> None:
    """Bare, in slots and merged: nothing but the base's own weights is rounded."""
    narrow = _load(tiny_base, dtype="float64")
    rounded = copy_folder(tiny_base, tmp_path)
    unet = narrow._base.network.module
    stored = stored_weights("unet", unet, precision=Precision(torch.float64, FP8))
    _round(rounded / "unet", names=[*stored])

    stack = () if name == "bare" else ((adapters[name], 0.8),)
    wide = _load(rounded, storage=None, dtype="float64")
    found, expected = (_draw(one, stack, is_merged=is_merged) for one in (narrow, wide))

    assert torch.equal(found, expected)
    assert {x.dtype for x in unet.parameters()} == {FP8, torch.float64}


def _draw(engine: Engine, stack: Any, *, is_merged: bool) -> torch.Tensor:
    (row,) = engine.open_rows([row_spec(stack=stack, seed=3)])
    assert isinstance(row, Row)
    while not row.is_done:
        engine.step([row], is_merged=is_merged)
    return row.latents


def test_plan_and_fingerprint_know_of_it(flow: Path) -> None:
    """A byte for each such weight; what is kept is hashed as it is kept."""
    narrow, wide = _load(flow), _load(flow, storage=None)

    module = narrow._base.network.module
    stored = stored_weights("transformer", module, precision=Precision(torch.float32, FP8))
    values = sum(module.get_parameter(name).numel() for name in stored)
    assert narrow.plan is not None and wide.plan is not None
    assert wide.plan.base - narrow.plan.base == 3 * values
    assert narrow.hash_weights(between=lambda: None) == narrow.loaded_fingerprints
    assert narrow.profile.fingerprints == wide.profile.fingerprints
    changed = {n for n, x in narrow.loaded_fingerprints.items() if x != wide.loaded_fingerprints[n]}
    assert changed == {"transformer"}


def test_weight_beyond_eight_bits_is_refused(flow: Path, tmp_path: Path) -> None:
    """A number that has no such form is named, and what to do."""
    folder = copy_folder(flow, tmp_path)
    (file,) = (folder / "transformer").glob("*.safetensors")
    tensors = load_file(str(file))
    name = "transformer_blocks.0.attn.to_q.weight"
    tensors[name][0, 0] = 1000.0
    save_file(tensors, str(file), metadata={"format": "pt"})

    with pytest.raises(BaseNotLoadable, match=f"{name} .* which float8_e4m3fn") as caught:
        _load(folder)

    assert "storage_dtype" in caught.value.hint


def test_unknown_storage_is_refused(tiny_base: Path) -> None:
    """All that there are are said."""
    with pytest.raises(BaseNotLoadable, match="'int4'") as caught:
        _load(tiny_base, storage="int4")

    assert "float8_e4m3fn" in caught.value.hint


def test_narrow_dtype_follows_the_base(flow: Path, tiny_base: Path) -> None:
    """Where nobody says: what overflows in float16 is served in bfloat16."""
    assert load_base(str(flow), dtype=None).precision.dtype == torch.bfloat16
    assert load_base(str(tiny_base), dtype=None).precision.dtype == torch.float16


def test_t5_is_never_float16(flow: Path) -> None:
    """In a float16 base it is in bfloat16, with its slots; what it writes is read in float16."""
    engine = _load(flow, storage=None, dtype="float16")

    t5 = next(part.model for part in engine._base.text_parts if part.is_t5)
    layer = t5.encoder.block[0].layer[0].SelfAttention.q
    assert {x.dtype for x in t5.parameters()} == {torch.bfloat16}
    assert layer.slot_up.dtype == torch.bfloat16
    (row,) = engine.open_rows([row_spec(seed=3, sampler=engine.facts.samplers[0])])
    assert isinstance(row, Row), row
    assert row.conditioning.text.dtype == torch.float16
    assert engine.hash_weights(between=lambda: None) == engine.loaded_fingerprints
    assert component_dtype("x", t5.config, family="sd3", dtype=torch.float32) == torch.float32
