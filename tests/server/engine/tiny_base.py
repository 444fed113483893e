# SPDX-License-Identifier: Apache-2.0
"""One tiny base of a family in float64: an engine, diffusers alone, and files that both wear."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from tabard_server.adapters.host_adapter import HostAdapter
from tabard_server.engine.engine import Engine
from tabard_server.engine.load_engine import EngineSettings, load_engine
from tabard_server.engine.row import Row
from tabard_server.engine_port.drawing import Pixels
from tabard_server.engine_port.row_spec import RowSpec
from tabard_server.engine_port.weights.strength import Weight
from tests.bases import (
    make_tiny_base,
    write_diffusers_lora,
    write_inversion,
    write_inversion_pair,
    write_kohya_lora,
)
from tests.oracle import Oracle, Worn
from tests.server.adapters.packing import pack_file
from tests.server.drawings import row_spec
from tests.tiny_models import TEXT_WIDTHS
from tests.writers import write_peft_lora

TOKEN = "<plum>"
TWIN = "twin_inversion"
"""An adapter that teaches the same word as `inversion`, otherwise."""
PROMPT = f"a red {TOKEN} circle"


@dataclass(frozen=True, kw_only=True)
class Studio:
    """What one family's tests need.

    Attributes:
        engine: In float64, where a mixed batch and a lone row agree to rounding.
        oracle: diffusers alone on the same base.
        adapters: By name, as the engine wears them.
        files: The same, as diffusers loads them.
    """

    engine: Engine
    oracle: Oracle
    adapters: Mapping[str, HostAdapter]
    files: Mapping[str, Path]

    def spec(self, stack: Mapping[str, Weight], **changes: Any) -> RowSpec:
        """Return a row that wears these adapters."""
        worn = tuple((self.adapters[name], weight) for name, weight in stack.items())
        values: dict[str, Any] = {"prompt": PROMPT, "negative_prompt": "blue", "steps": 4}
        return row_spec(stack=worn, **values | changes)

    def expect(
        self, stack: Mapping[str, float], specs: Sequence[RowSpec], **options: Any
    ) -> list[torch.Tensor]:
        """Return the latents that diffusers alone comes to for rows that wear this stack."""
        worn = [
            Worn(
                file=self.files[name],
                weight=weight,
                token=TOKEN if name.endswith("inversion") else None,
            )
            for name, weight in stack.items()
        ]
        runs = [run_of(spec) | options for spec in specs]
        if "kohya" in stack:
            # diffusers leaves out part of such a file, so its layers are merged into a copy.
            return self.oracle.draw_merged_latents(runs, worn=worn)
        return self.oracle.draw_latents(runs, worn=worn)


def run_of(spec: RowSpec) -> dict[str, Any]:
    """Return a row as diffusers' pipelines are asked for it."""
    drawing = spec.drawing
    run: dict[str, Any] = {
        "prompt": drawing.prompt,
        "seed": spec.seed,
        "steps": drawing.steps,
        "sampler": drawing.sampler,
        "guidance_scale": drawing.guidance_scale,
        "negative_prompt": drawing.negative_prompt,
        "width": drawing.width,
        "height": drawing.height,
    }
    walk = drawing.walk
    run |= {"schedule": walk.schedule, "timestep_spacing": walk.timestep_spacing}
    for name in ("timesteps", "sigmas"):
        if listed := getattr(walk, name):
            run[name] = list(listed)
    if walk.eta is not None:
        run["eta"] = walk.eta
    if drawing.clip_skip:
        run["clip_skip"] = drawing.clip_skip
    if drawing.picture is not None:
        run |= {"image": drawing.picture.pixels, "mask": drawing.picture.mask}
        run["strength"] = drawing.strength
    return run


def open_studio(folder: Path, *, family: str, is_zero_snr: bool = False) -> Studio:
    """Make a base, its adapters, an engine and an oracle."""
    base = make_tiny_base(folder / "base", family=family, is_zero_snr=is_zero_snr)
    files = _write_files(base, folder, family=family)
    engine = load_engine(EngineSettings(base=str(base), device="cpu", dtype="float64"))
    adapters = {
        name: pack_file(
            file,
            profile=engine.profile,
            folder=folder,
            dtype=torch.float64,
            trigger_words=[TOKEN] if name.endswith("inversion") else (),
        )
        for name, file in files.items()
    }
    oracle = Oracle(base, dtype=torch.float64)
    return Studio(engine=engine, oracle=oracle, adapters=adapters, files=files)


def draw(engine: Engine, specs: Sequence[RowSpec]) -> list[torch.Tensor]:
    """Run rows together to their ends; each leaves when it is done."""
    rows = engine.open_rows(specs)
    assert all(isinstance(row, Row) for row in rows), rows
    opened = [row for row in rows if isinstance(row, Row)]
    while pending := [row for row in opened if not row.is_done]:
        engine.step(pending)
    for row in opened:
        engine.close_row(row)
    return [row.latents for row in opened]


def draw_pixels(engine: Engine, spec: RowSpec) -> Pixels:
    """Run one row to its end alone; return its picture, uint8 `[height, width, 3]`."""
    (row,) = engine.open_rows([spec])
    assert isinstance(row, Row), row
    while not row.is_done:
        engine.step([row])
    pixels = engine.decode(row).pixels()
    engine.close_row(row)
    return pixels


def draw_merged(engine: Engine, spec: RowSpec, *, is_merged: bool = True) -> torch.Tensor:
    """The latents of one row, drawn on the merged copy."""
    (row,) = engine.open_rows([spec])
    assert isinstance(row, Row), row
    while not row.is_done:
        engine.step([row], is_merged=is_merged)
    engine.close_row(row)
    return row.latents


def skip_if_absent(sampler: str) -> None:
    """Skip a test of a sampler whose library is not installed."""
    if sampler.startswith("dpmpp_sde"):
        pytest.importorskip("torchsde")


def _write_files(base: Path, folder: Path, *, family: str) -> dict[str, Path]:
    widths = TEXT_WIDTHS[family]
    inversion, twin = folder / "inversion.safetensors", folder / f"{TWIN}.safetensors"
    for file, vectors, seed in ((inversion, 2, 3), (twin, 1, 8)):
        if len(widths) == 2:
            write_inversion_pair(file, widths=widths, vectors=vectors, seed=seed)
        else:
            write_inversion(file, token=TOKEN, width=widths[0], vectors=vectors, seed=seed)
    return {
        "lora": write_diffusers_lora(base, folder / "lora.safetensors", seed=1),
        "text": write_diffusers_lora(
            base,
            folder / "text.safetensors",
            seed=2,
            targets=(),
            text_targets=("q_proj", "v_proj", "fc1"),
        ),
        "kohya": write_kohya_lora(base, folder / "kohya.safetensors", seed=4, rank=6),
        # diffusers drops magnitudes of text encoders without a word.
        "conv": write_peft_lora(
            base, folder / "conv.safetensors", seed=5, use_dora=False, text_targets=()
        ),
        "dora": write_peft_lora(base, folder / "dora.safetensors", seed=6, text_targets=()),
        "inversion": inversion,
        TWIN: twin,
    }
