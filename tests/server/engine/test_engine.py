# SPDX-License-Identifier: Apache-2.0
"""Rows opened, stepped and closed on one base: whatever goes wrong, nothing is left behind."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tabard_server.adapters.host_adapter import HostAdapter, HostChange
from tabard_server.engine.engine import Engine
from tabard_server.engine.load_engine import EngineSettings, load_engine
from tabard_server.engine.row import Row
from tabard_server.engine_port.errors import (
    AdapterMismatch,
    MergedTooLarge,
)
from tabard_server.engine_port.row_spec import RowSpec
from tests.server.drawings import row_spec

TOLERANCE = 1e-9


def _spec(*stack: tuple[HostAdapter, float], **changes: Any) -> RowSpec:
    return row_spec(stack=stack, **{"seed": 3} | changes)


def _draw(engine: Engine, *specs: RowSpec, is_merged: bool = False) -> list[torch.Tensor]:
    rows = [row for row in engine.open_rows(specs) if isinstance(row, Row)]
    assert len(rows) == len(specs)
    while pending := [row for row in rows if not row.is_done]:
        engine.step(pending, is_merged=is_merged)
    for row in rows:
        engine.close_row(row)
    return [row.latents for row in rows]


def test_server_without_copy_refuses_row(tiny_base: Path) -> None:
    """A row that needs the copy gets a reason and no image."""
    settings = EngineSettings(base=str(tiny_base), device="cpu", can_merge=False)
    engine = load_engine(settings)

    (found,) = engine.open_rows([_spec((_dense(engine, "unet", "conv_in.bias"), 1.0))])

    assert isinstance(found, MergedTooLarge)
    assert "merged_copy" in found.hint


def test_nan_stack_is_not_merged(engine: Engine, adapters: dict[str, HostAdapter]) -> None:
    """A stack that makes the base NaN is refused before a row moves, and the next one merges."""
    (row,) = engine.open_rows([_spec((_dense(engine, "unet", "conv_in.bias", float("nan")), 1.0))])
    assert isinstance(row, Row)

    with pytest.raises(AdapterMismatch):
        engine.step([row], is_merged=True)

    assert row.steps_done == 0
    engine.close_row(row)
    spec = _spec((adapters["kohya"], 1.0))
    (merged,), (slotted,) = _draw(engine, spec, is_merged=True), _draw(engine, spec)
    torch.testing.assert_close(merged, slotted, rtol=TOLERANCE, atol=TOLERANCE)


def _dense(engine: Engine, component: str, parameter: str, value: float = 0.5) -> HostAdapter:
    """An adapter that adds a number to every element of one vector."""
    width = engine.profile.vectors[component][parameter]
    change = HostChange(
        component=component,
        parameter=parameter,
        method="dense",
        scale=1.0,
        options={},
        parts={"diff": torch.full((width,), value)},
    )
    return HostAdapter(
        digest=f"sha256:{component}{parameter}{value}",
        kind="lora",
        rank=0,
        layers={},
        tokens=(),
        changes=(change,),
        resident_bytes=4 * width,
    )
