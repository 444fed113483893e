# SPDX-License-Identifier: Apache-2.0
"""The weights in memory: hashed as they were when they were loaded, and one bit tells."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tabard_server.engine.base.loading import load_base
from tabard_server.engine.engine import Engine
from tabard_server.engine.load_engine import EngineSettings, load_engine
from tabard_server.engine.row import Row
from tests.bases import make_tiny_base, write_diffusers_lora
from tests.server.adapters.packing import pack_file
from tests.server.drawings import row_spec


def load(base: Path, *, dtype: str = "float32") -> Engine:
    """Load the base on the CPU."""
    return load_engine(EngineSettings(base=str(base), device="cpu", dtype=dtype))


def nothing() -> None:
    """Do not rest."""


def test_loaded_weights_are_those_of_the_profile(tiny_base: Path) -> None:
    """In float32 nothing is rounded: what lies in memory is what the base is known by."""
    engine = load(tiny_base)

    assert engine.loaded_fingerprints == engine.profile.fingerprints
    assert engine.hash_weights(between=nothing) == engine.profile.fingerprints


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_rounded_weights_have_their_own_fingerprints(tiny_base: Path, dtype: str) -> None:
    """What is kept narrower than it was stored is compared with itself, not with the file."""
    engine = load(tiny_base, dtype=dtype)

    assert engine.hash_weights(between=nothing) == engine.loaded_fingerprints
    assert engine.loaded_fingerprints["unet"] != engine.profile.fingerprints["unet"]


def test_narrow_file_keeps_its_fingerprint(tmp_path: Path) -> None:
    """A file that is as narrow as what is kept of it is not hashed twice."""
    base = make_tiny_base(tmp_path / "narrow")
    _round(base, torch.float16)

    engine = load(base, dtype="float16")

    assert engine.loaded_fingerprints == engine.profile.fingerprints
    assert engine.hash_weights(between=nothing) == engine.profile.fingerprints


@pytest.mark.parametrize(
    ("component", "choose"),
    [
        ("unet", lambda engine: engine._base.network.module.conv_in.weight),
        ("vae", lambda engine: next(engine._base.vae.parameters())),
        ("text_encoder", lambda engine: next(engine._base.models["text_encoder"].parameters())),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_flipped_bit_is_named(
    tiny_base: Path, component: str, choose: Callable[[Engine], torch.Tensor], dtype: str
) -> None:
    """One bit of one weight, the lowest: its component has another fingerprint, and no other."""
    engine = load(tiny_base, dtype=dtype)
    content = torch.empty(0, dtype=torch.uint8).set_(choose(engine).untyped_storage())
    content[0] ^= 1

    found = engine.hash_weights(between=nothing)

    changed = {name for name in found if found[name] != engine.loaded_fingerprints[name]}
    assert changed == {component}


def test_merged_step_changes_nothing(tiny_base: Path, tmp_path: Path) -> None:
    """While a stack is worn merged, what is hashed is the base below it."""
    engine = load(tiny_base)
    file = write_diffusers_lora(tiny_base, tmp_path / "one.safetensors", seed=1, text_targets=())
    adapter = pack_file(file, profile=engine.profile, folder=tmp_path, dtype=torch.float32)
    (row,) = engine.open_rows([row_spec(stack=((adapter, 0.8),), seed=1, steps=4)])
    assert isinstance(row, Row)

    engine.step([row], is_merged=True)
    assert engine.merged_stack
    with engine._denoiser._merged.wearing("unet"):  # type: ignore[union-attr]
        found = engine.hash_weights(between=nothing)

    assert found == engine.loaded_fingerprints


def test_work_comes_in_pieces(tiny_base: Path) -> None:
    """Between them it may rest; what is raised there ends it."""
    engine, pieces = load(tiny_base), []
    engine.hash_weights(between=lambda: pieces.append(1))

    def enough() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        engine.hash_weights(between=enough)
    assert len(pieces) > len(list(load_base(str(tiny_base)).network.module.parameters()))


def _round(base: Path, dtype: torch.dtype) -> None:
    from safetensors.torch import load_file, save_file  # noqa: PLC0415 - for this test alone

    for path in base.rglob("*.safetensors"):
        tensors = {key: one.to(dtype) for key, one in load_file(path).items()}
        save_file(tensors, path, metadata={"format": "pt"})
