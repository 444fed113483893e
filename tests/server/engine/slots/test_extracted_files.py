# SPDX-License-Identifier: Apache-2.0
"""An extracted file through publish's checks, into the engine, beside the tuned model alone."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tabard_server.engine.engine import Engine
from tabard_server.engine.load_engine import EngineSettings, load_engine
from tabard_server.engine.row import Row
from tabard_server.engine_port.row_spec import RowSpec
from tests.oracle import Oracle
from tests.server.adapters.packing import pack_file
from tests.server.drawings import row_spec
from tests.server.engine.tiny_base import run_of
from tests.tuned_models import (
    Change,
    add_everywhere,
    add_low_rank,
    extracted,
    make_tuned_model,
)


def _draw(engine: Engine, spec: RowSpec, *, is_merged: bool) -> torch.Tensor:
    (row,) = engine.open_rows([spec])
    assert isinstance(row, Row), row
    while not row.is_done:
        engine.step([row], is_merged=is_merged)
    assert row.failure is None
    engine.close_row(row)
    return row.latents


@pytest.mark.parametrize(
    ("change", "choice", "is_merged"),
    [
        (add_low_rank(3), {"rank": 8}, False),
        (add_everywhere(0.07), {"is_exact": True}, True),
        (add_everywhere(0.07), {"rank": 512}, True),
    ],
    ids=["pairs in slots", "exact, merged", "pairs and norms, merged"],
)
def test_served_adapter_is_the_tuned_model(
    tmp_path: Path, tiny_base: Path, change: Change, choice: dict[str, Any], is_merged: bool
) -> None:
    """All the way through intake, canonical file and engine, pictures are the tuned model's."""
    tuned = make_tuned_model(tiny_base, tmp_path / "tuned", change)
    file = tmp_path / "out.safetensors"
    extracted(tiny_base, tuned, file, **choice)
    engine = load_engine(EngineSettings(base=str(tiny_base), device="cpu", dtype="float64"))
    adapter = pack_file(file, profile=engine.profile, folder=tmp_path, dtype=torch.float64)
    spec = row_spec(stack=((adapter, 1.0),))

    bare = _draw(engine, replace(spec, stack=()), is_merged=False)
    worn = _draw(engine, spec, is_merged=is_merged)

    [real] = Oracle(tuned, dtype=torch.float64).draw_latents([run_of(spec)])
    assert adapter.is_merged_only == is_merged
    assert float((worn - real).abs().max()) < 1e-4
    assert float((bare - real).abs().max()) > 1e-2
