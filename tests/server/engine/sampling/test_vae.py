# SPDX-License-Identifier: Apache-2.0
"""Between pixels and latents: what diffusers' VAE gives, in the precision that it needs."""

from pathlib import Path

import pytest
import torch

from tabard_server.engine.load_engine import EngineSettings, load_engine
from tests.server.engine.base.changed_folders import change_config, copy_folder


@pytest.mark.oracle
def test_large_vae_is_kept_wide_in_half_precision(bases: dict[str, Path], tmp_path: Path) -> None:
    """SDXL's VAE, which overflows in half precision, stays in float32 where its config says so."""
    folder = copy_folder(bases["sdxl"], tmp_path)
    change_config(folder / "vae/config.json", force_upcast=True)

    upcast = load_engine(EngineSettings(base=str(folder), device="cpu", dtype="float16"))
    plain = load_engine(EngineSettings(base=str(bases["sdxl"]), device="cpu", dtype="float16"))

    assert upcast._base.vae.dtype == torch.float32
    assert plain._base.vae.dtype == torch.float16
    assert upcast._base.unet.dtype == torch.float16
