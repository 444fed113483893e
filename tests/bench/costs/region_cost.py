# SPDX-License-Identifier: Apache-2.0
"""What a step of a picture in regions costs beside one of as many plain rows, on the demo base.

Two rows that wear one adapter each, a picture in two halves that wear the same two, and one with a
box and the rest, take turns step by step in one engine. Beside wall time stands the CPU time.
"""

import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch

from tabard.cli.demo.catalog import find_material, read_catalog
from tabard_server.adapters.host_adapter import HostAdapter
from tabard_server.admission.regions.areas import draw_boxes, share_out
from tabard_server.engine.engine import Engine
from tabard_server.engine.load_engine import EngineSettings, load_engine
from tabard_server.engine.row import Row
from tabard_server.engine_port.drawing import Drawing
from tabard_server.engine_port.regions import Box, Region
from tabard_server.engine_port.row_spec import RowSpec
from tabard_server.engine_port.weights.strength import Controls, Strength
from tests.server.adapters.packing import pack_file

STEPS = 25
SIDES = (64, 128)
PROMISED = 1.1
LEFT, RIGHT = Box(0.0, 0.0, 0.5, 1.0), Box(0.5, 0.0, 1.0, 1.0)

Numbers = dict[str, Any]
Rows = Sequence[RowSpec]


def run(*, device: str = "cpu", rounds: int) -> Numbers:
    """Measure steps of every kind and size: medians, and medians of the ratios of neighbours."""
    material = find_material()
    engine = load_engine(
        EngineSettings(
            base=str(material / "base"),
            device=device,
            dtype="float16" if device == "cuda" else "float32",
        )
    )
    catalog = read_catalog(material / "adapters")
    with tempfile.TemporaryDirectory(prefix="tabard-bench-") as name:
        worn = [
            pack_file(one.file, profile=engine.profile, folder=Path(name), dtype=engine.dtype)
            for one in (catalog.style, catalog.partner)
        ]
        return {
            "device": device,
            "threads": torch.get_num_threads(),
            **{str(side): _measure(engine, worn, side=side, rounds=rounds) for side in SIDES},
        }


def report(measured: Numbers) -> None:
    """Print the table."""
    print(f"\nsteps with guidance on the demo base, {measured['device']}, milliseconds\n")
    print("| pixels | two rows | two regions | a box and the rest | two regions to two rows |")
    print("|---|---|---|---|---|")
    for side in map(str, SIDES):
        one = measured[side]
        walls = " | ".join(f"{1e3 * median(one['wall'][kind]):.2f}" for kind in _KINDS)
        ratios = f"{one['ratio']:.3f} (CPU time {one['cpu_ratio']:.3f})"
        print(f"| {side} by {side} | {walls} | {ratios}, promised {PROMISED:g} |")


_KINDS = ("rows", "regions", "box")


def _measure(engine: Engine, worn: Sequence[HostAdapter], *, side: int, rounds: int) -> Numbers:
    found: Numbers = {clock: {kind: [] for kind in _KINDS} for clock in ("wall", "cpu")}
    for number in range(rounds + 1):
        opened = {
            kind: _open(engine, specs) for kind, specs in _specs(engine, worn, side=side).items()
        }
        for _ in range(STEPS):
            for kind, rows in opened.items():
                wall, cpu = _timed(engine, rows)
                if number:
                    found["wall"][kind].append(wall)
                    found["cpu"][kind].append(cpu)
        for rows in opened.values():
            for row in rows:
                engine.close_row(row)
    for clock, name in (("wall", "ratio"), ("cpu", "cpu_ratio")):
        pairs = zip(found[clock]["regions"], found[clock]["rows"], strict=True)
        found[name] = median(one / other for one, other in pairs)
    return found


def _specs(engine: Engine, worn: Sequence[HostAdapter], *, side: int) -> Mapping[str, Rows]:
    size, factor = (side, side), engine.facts.latent_factor
    (left, right), _ = share_out([draw_boxes([b], size=size) for b in (LEFT, RIGHT)], factor=factor)
    halves = (_part("left", left), _part("right", right))
    plain = [_spec(((one, 0.8),), side=side) for one in worn]
    stack = tuple(
        (one, Strength(weight=0.8, controls=Controls(region=region.name)))
        for one, region in zip(worn, halves, strict=True)
    )
    return {
        "rows": plain,
        "regions": [_spec(stack, side=side, regions=halves)],
        "box": [_spec(stack[:1], side=side, regions=(_part("", right), halves[0]))],
    }


def _part(name: str, shares: Any) -> Region:
    return Region(name=name, shares=shares, prompt="a red circle")


def _spec(stack: Any, *, side: int, regions: tuple[Region, ...] = ()) -> RowSpec:
    drawing = Drawing(
        prompt="a red circle",
        negative_prompt="blue",
        steps=STEPS,
        guidance_scale=5.0,
        width=side,
        height=side,
        sampler="euler",
        regions=regions,
    )
    return RowSpec(drawing=drawing, stack=stack, seed=7)


def _open(engine: Engine, specs: Rows) -> list[Row]:
    rows = engine.open_rows(specs)
    assert all(isinstance(row, Row) for row in rows), rows
    return [row for row in rows if isinstance(row, Row)]


def _timed(engine: Engine, rows: Sequence[Row]) -> tuple[float, float]:
    _wait(engine)
    wall, cpu = time.perf_counter(), time.process_time()
    engine.step(rows)
    _wait(engine)
    return time.perf_counter() - wall, time.process_time() - cpu


def _wait(engine: Engine) -> None:
    if engine.device != "cpu":
        torch.cuda.synchronize()
