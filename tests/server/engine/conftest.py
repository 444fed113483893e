# SPDX-License-Identifier: Apache-2.0
"""A tiny random base, its files and a fresh float64 engine, shared by the engine's tests."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from tabard_registry import BaseProfile
from tabard_server.adapters.host_adapter import HostAdapter
from tabard_server.engine import engine as engine_module
from tabard_server.engine.engine import Engine
from tabard_server.engine.load_engine import EngineSettings, load_engine
from tabard_server.engine.sampling.sampler_prototypes import SamplerPrototypes
from tests.bases import make_tiny_base, write_diffusers_lora, write_inversion, write_kohya_lora
from tests.server.adapters.packing import pack_file
from tests.server.engine.base.changed_folders import FAMILIES


@pytest.fixture(scope="session", autouse=True)
def _samplers_are_built_once() -> Iterator[None]:
    """Half of what an engine costs is its samplers; rows take copies, so engines can share them."""
    built: dict[str, SamplerPrototypes] = {}

    def build(config: Mapping[str, Any], **options: Any) -> SamplerPrototypes:
        key = repr((sorted(config.items()), options))
        if key not in built:
            built[key] = SamplerPrototypes(config, **options)
        return built[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine_module, "SamplerPrototypes", build)
        yield


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_base(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(scope="session")
def files(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One file of each dialect, with visibly different effects."""
    folder = tmp_path_factory.mktemp("files")
    return {
        "diffusers": write_diffusers_lora(
            tiny_base,
            folder / "diffusers.safetensors",
            seed=1,
            rank=4,
            alpha=8.0,
            text_targets=("q_proj", "v_proj"),
        ),
        "kohya": write_kohya_lora(
            tiny_base, folder / "kohya.safetensors", seed=2, rank=6, alphas=(3.0, 1.5)
        ),
        "plum": write_inversion(
            folder / "plum.safetensors", token="<plum>", width=32, vectors=2, seed=3
        ),
    }


@pytest.fixture(scope="session")
def profile(engine: Engine) -> BaseProfile:
    return engine.profile


@pytest.fixture(scope="session")
def engine(tiny_base: Path) -> Engine:
    """An engine in float64, where a mixed batch and a lone row agree to rounding."""
    return load_engine(EngineSettings(base=str(tiny_base), device="cpu", dtype="float64"))


@pytest.fixture(scope="session")
def adapters(
    files: dict[str, Path], profile: BaseProfile, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, HostAdapter]:
    folder = tmp_path_factory.mktemp("canonical")
    return {
        name: pack_file(file, profile=profile, folder=folder, dtype=torch.float64)
        for name, file in files.items()
    }


@pytest.fixture(scope="session")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One tiny base of each family."""
    folder = tmp_path_factory.mktemp("bases")
    return {family: make_tiny_base(folder / family, family=family) for family in FAMILIES}
