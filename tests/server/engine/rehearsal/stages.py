# SPDX-License-Identifier: Apache-2.0
"""A tiny base on a device that computes nothing, adapters for it, and rows of many kinds.

In: a folder. Out: an engine whose steps make no number.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tabard_server.adapters.host_adapter import HostAdapter
from tabard_server.engine.base.loading import load_base
from tabard_server.engine.engine import Engine
from tabard_server.engine.row import Row
from tabard_server.engine_port.prompt_style import PromptStyle
from tabard_server.engine_port.regions import Region
from tabard_server.engine_port.row_spec import RowSpec
from tabard_server.engine_port.samplers import SAMPLERS
from tabard_server.engine_port.weights.strength import Controls, Point, Strength
from tests.bases import make_tiny_base, write_diffusers_lora, write_kohya_lora
from tests.server.adapters.packing import pack_file
from tests.server.drawings import picture_of, row_spec
from tests.server.engine.rehearsal.device_rules import DEVICE

STEPS = 6
WAITING = {
    "dpmpp_sde": "diffusers draws its noise from a tree of Brownian motion, branch by branch",
    "dpmpp_sde_karras": "the same",
}
"""Samplers whose steps wait, and why."""
FREE = [name for name in SAMPLERS if name not in WAITING]
KINDS = 8
LONG = PromptStyle(syntax="a1111", windows_max=3)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """An engine on the device, and what its rows wear."""

    engine: Engine
    adapters: Sequence[HostAdapter]

    def open(self, *specs: RowSpec) -> list[Row]:
        """Open rows, which may wait."""
        rows = [row for row in self.engine.open_rows(specs) if isinstance(row, Row)]
        assert len(rows) == len(specs)
        return rows

    def close(self, rows: Sequence[Row]) -> None:
        """Give their slots back."""
        for row in rows:
            self.engine.close_row(row)


def new_stage(
    folder: Path, *, family: str, dtype: torch.dtype = torch.float32, **options: Any
) -> Stage:
    """Load a tiny base of a family there, and two adapters for it."""
    place = make_tiny_base(folder / "base", family=family)
    engine = Engine(
        load_base(str(place)), device=DEVICE, dtype=dtype, slot_rank_total=64, **options
    )
    files = (
        write_diffusers_lora(place, folder / "one.safetensors", seed=1, text_targets=("q_proj",)),
        write_kohya_lora(place, folder / "two.safetensors", seed=2, rank=6),
    )
    adapters = [
        pack_file(file, profile=engine.profile, folder=folder, dtype=dtype) for file in files
    ]
    return Stage(engine=engine, adapters=adapters)


def any_row(stage: Stage, number: int, sampler: str) -> RowSpec:
    """Return one of many kinds of rows."""
    one, two = stage.adapters
    curve = Controls(unet=(Point(0.2, 0.0), Point(1.0, 0.7)), end=0.9)
    parted = Strength(weight=1.0, controls=Controls(region="left", blocks=(("MID", 0.5),)))
    halves = np.full((16, 16), 0.5)
    regions = (
        Region(name="", shares=halves, prompt="a circle"),
        Region(name="left", shares=halves, prompt="a star"),
    )
    pixels, mask = np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64), np.uint8)
    mask[:32] = 255
    kinds: list[dict[str, Any]] = [
        {},
        {"stack": ((one, 1.0), (two, 0.4))},
        {"guidance_scale": 1.0, "stack": ((two, 1.0),)},
        {"stack": ((one, Strength(weight=0.7, controls=curve)),)},
        {"prompt": "a BREAK b BREAK c", "style": LONG},
        {"regions": regions, "stack": ((one, parted),)},
        {"picture": picture_of(pixels), "strength": 0.8},
        {"picture": picture_of(pixels, mask=mask), "strength": 1.0},
    ]
    assert len(kinds) == KINDS
    kind = kinds[number % KINDS]
    return row_spec(sampler=sampler, steps=STEPS, seed=number, **kind)
