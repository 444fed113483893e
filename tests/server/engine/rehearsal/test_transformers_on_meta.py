# SPDX-License-Identifier: Apache-2.0
"""Steps of bases with a transformer, on a device without memory: nothing waits there either."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tabard_server.engine.base.loading import load_base
from tabard_server.engine.engine import Engine
from tabard_server.engine.row import Row
from tabard_server.engine_port.drawing import SkippedLayers
from tabard_server.engine_port.prompt_style import PromptStyle
from tabard_server.engine_port.row_spec import RowSpec
from tests.bases import load_pipeline, make_tiny_base, write_diffusers_lora
from tests.server.adapters.packing import pack_file
from tests.server.drawings import row_spec
from tests.server.engine.rehearsal.device_rules import DEVICE, DeviceRules
from tests.server.engine.transformers.fused_files import write_fused_lora

STEPS = 5
LONG = "a red circle " * 90
"""More than a window of SD3.5's T5: its row is longer than its neighbours, which are masked."""


class Rehearsal:
    """An engine on the device, and two adapters."""

    def __init__(self, folder: Path, *, family: str) -> None:
        place = make_tiny_base(folder / "base", family=family)
        self.family = family
        self.engine = Engine(
            load_base(str(place)), device=DEVICE, dtype=torch.float32, slot_rank_total=64
        )
        files = (
            write_diffusers_lora(place, folder / "one.safetensors", seed=1),
            write_fused_lora(
                load_pipeline(place), folder / "two.safetensors", family=family, seed=2
            ).file,
        )
        self.adapters = [
            pack_file(file, profile=self.engine.profile, folder=folder, dtype=torch.float32)
            for file in files
        ]

    def spec(self, number: int, **changes: Any) -> RowSpec:
        """Return one of the stacks in turn."""
        one, two = self.adapters
        stacks = [(), ((one, 0.8),), ((one, 0.5), (two, 1.0)), ((two, -0.4),)]
        values: dict[str, Any] = {"guidance": self.engine.facts.guidance, "guidance_scale": 4.0}
        return row_spec(stack=stacks[number % 4], seed=number, steps=STEPS, **values | changes)


@pytest.fixture(scope="module", params=["sd3", "flux"])
def rehearsal(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Rehearsal:
    return Rehearsal(tmp_path_factory.mktemp(request.param), family=request.param)


def test_rows_of_all_kinds_wait_for_nothing(
    rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every sampler, bare and worn, longer prompts and left-out layers, in one batch."""
    samplers = rehearsal.engine.facts.samplers
    specs = [rehearsal.spec(n, sampler=sampler) for n, sampler in enumerate(samplers)]
    if rehearsal.family == "sd3":
        skipped = SkippedLayers(layers=(1,), start=0.0, stop=1.0)
        style = PromptStyle(windows_max=2)
        specs += [
            rehearsal.spec(1, sampler="euler", prompt=LONG, style=style),
            rehearsal.spec(2, sampler="euler", skipped=skipped),
        ]
    rows = [row for row in rehearsal.engine.open_rows(specs) if isinstance(row, Row)]
    assert len(rows) == len(specs)
    rules = DeviceRules(monkeypatch)

    for batch in (rows, rows, rows[1:]):
        with rules:
            rehearsal.engine.step(batch)

    assert [row.steps_done for row in rows] == [2, *[3] * (len(rows) - 1)]
    assert not any(row.failure for row in rows)
    assert rules.calls > 500 and rules.sent
    for row in rows:
        rehearsal.engine.close_row(row)
