# SPDX-License-Identifier: Apache-2.0
"""What a CUDA device does beside its steps: images are decoded as they are without them."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tabard_server.engine.engine import Engine
from tabard_server.engine.load_engine import EngineSettings, load_engine
from tabard_server.engine.row import Row
from tabard_server.engine_port.samplers import SAMPLERS
from tests.bases import make_tiny_base
from tests.server.drawings import row_spec

pytestmark = pytest.mark.gpu

WAITING = ("dpmpp_sde", "dpmpp_sde_karras")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    base: Path = make_tiny_base(tmp_path_factory.mktemp("base") / "tiny")
    return load_engine(EngineSettings(base=str(base), device="cuda", dtype="float32"))


def _opened(engine: Engine, *samplers: str, steps: int = 4) -> list[Row]:
    specs = [row_spec(sampler=one, seed=n, steps=steps) for n, one in enumerate(samplers)]
    rows = [row for row in engine.open_rows(specs) if isinstance(row, Row)]
    assert len(rows) == len(specs)
    return rows


def test_images_are_decoded_beside_steps(engine: Engine) -> None:
    """Twenty of them while others step on: to the bit what the same latents give alone."""
    done = _opened(engine, *["ddim"] * 20)
    while not done[0].is_done:
        engine.step(done)
    assert engine.plan is not None and engine.plan.decodes_beside(done[0].spec.drawing.size)
    others = _opened(engine, "euler", "euler_a", steps=40)

    beside = []
    for row in done:
        beside.append(engine.decode(row))
        engine.step(others)
    torch.cuda.synchronize()

    for row, readback in zip(done, beside, strict=True):
        alone = engine._space.decode(row.latents).pixels()
        assert np.array_equal(readback.pixels(), alone)
    for row in (*done, *others):
        engine.close_row(row)


def test_mixed_samplers_wait_for_nothing(engine: Engine) -> None:
    """Every sampler that is a table, noise and all, in one batch; as the rehearsal has it."""
    rows = _opened(engine, *(one for one in SAMPLERS if one not in WAITING), steps=6)
    engine.step(rows)

    torch.cuda.set_sync_debug_mode("error")
    try:
        for batch in (rows, rows, rows[1:], rows[1:]):
            engine.step(batch)
    finally:
        torch.cuda.set_sync_debug_mode("default")

    for row in rows:
        engine.close_row(row)
