# SPDX-License-Identifier: Apache-2.0
"""Whole tiny pipelines that wear what is not low-rank equal diffusers with the weights merged."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tabard_server.engine.engine import Engine
from tabard_server.engine.load_engine import EngineSettings, load_engine
from tabard_server.engine_port.row_spec import RowSpec
from tests.bases import make_tiny_base
from tests.heavy_writers import HEAVY, write_heavy
from tests.oracle import Oracle
from tests.server.adapters.packing import pack_file
from tests.server.drawings import row_spec
from tests.server.engine.tiny_base import draw_merged, run_of

pytestmark = pytest.mark.oracle


@pytest.fixture(scope="module", params=["sd1", "sd2", "sdxl"])
def base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One family's engine and oracle in float64."""
    folder = make_tiny_base(tmp_path_factory.mktemp("base") / "base", family=request.param)
    engine = load_engine(EngineSettings(base=str(folder), device="cpu", dtype="float64"))
    return engine, Oracle(folder, dtype=torch.float64)


@pytest.mark.parametrize("kind", HEAVY)
def test_heavy_adapter_equals_merged_weights(
    kind: str, base: tuple[Engine, Oracle], tmp_path: Path
) -> None:
    """File, intake, canonical form, host slab, merged copy, image: as the writer's own merge."""
    engine, oracle = base
    files, merged = write_heavy(oracle.pipe, kind, folder=tmp_path / kind, seed=7)
    adapter = pack_file(
        files[0],
        beside=files[1:],
        profile=engine.profile,
        folder=tmp_path,
        dtype=torch.float64,
    )
    worn, bare = spec_of((adapter, 1.0)), spec_of()

    found = draw_merged(engine, worn)

    assert adapter.is_merged_only or kind in ("loha", "lokr")
    expected = oracle._run(merged, output_type="latent", **run_of(worn))[None]
    tolerance = 1e-3 if kind in ("oft", "boft") else 1e-6
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)
    plain = draw_merged(engine, bare, is_merged=False)
    assert (found - plain).abs().max() > 0.01
    torch.testing.assert_close(plain, oracle.draw_latents([run_of(bare)])[0], rtol=1e-9, atol=1e-9)


def spec_of(*stack: Any) -> RowSpec:
    """A row that wears this."""
    return row_spec(stack=stack, negative_prompt="blue", steps=2)
