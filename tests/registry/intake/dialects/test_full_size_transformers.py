# SPDX-License-Identifier: Apache-2.0
"""Every layer of SD3.5 medium and large and of Flux at full size, under every trainer's names."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tabard_registry import check
from tabard_registry.intake.transformer_names import originals
from tests.golden.full_size import transformers
from tests.golden.full_size.make_table import read_transformer
from tests.golden.full_size.table import FILE, Row, full_size_profile, layers, rows
from tests.registry.fakes import write

SIZES = {"text_encoder": "clip_l", "text_encoder_2": "clip_g"}


@pytest.mark.parametrize("model", transformers.MODELS)
def test_table_is_what_is_built(model: str) -> None:
    """The golden table names what diffusers and transformers build of published configurations."""
    fresh = [json.loads(json.dumps(found)) for found in read_transformer(model)]

    assert [_written(row) for row in rows(model)] == fresh, f"make {FILE.name} anew"


@pytest.mark.parametrize("model", transformers.MODELS)
def test_originals_are_those_of_diffusers(model: str) -> None:
    """Which rows of which original every module is, as diffusers' conversion has it."""
    table = [row for row in rows(model) if row.component == "transformer"]

    found = {
        piece.module: (one.name, piece.spans)
        for one in originals(full_size_profile(model))
        for piece in one.pieces
    }

    assert found == {row.module: (row.dotted, row.spans) for row in table}


@pytest.mark.parametrize("style", ["diffusers", "kohya", "comfyui"])
@pytest.mark.parametrize("model", transformers.MODELS)
def test_file_of_every_layer_is_applied(model: str, style: str, tmp_path: Path) -> None:
    """A LoRA of everything is taken, each layer once; fused ones are split."""
    path = write(tmp_path / "x.safetensors", dict(_file(model, style)))

    checked = check([path], profile=full_size_profile(model))

    assert checked.report.accepted, checked.report.problems[:3]
    assert checked.report.tensors_applied == checked.report.tensor_count
    applied = [(layer.component, layer.module) for layer in checked.layers]
    assert sorted(applied) == sorted(row.target for row in layers(model))


def _file(model: str, style: str) -> Iterator[tuple[str, np.ndarray]]:
    down, up = ("lora_down", "lora_up") if style == "kohya" else ("lora_A", "lora_B")
    widths: dict[str, tuple[Row, int]] = {}
    for row in layers(model):
        stem = _stem(row, style)
        _, outputs = widths.get(stem, (row, 0))
        widths[stem] = row, outputs + row.outputs
    for stem, (row, outputs) in widths.items():
        kernel = row.kernel if row.kind == "conv2d" else ()
        ones = (1, 1) if kernel else ()
        yield f"{stem}.{down}.weight", np.ones((1, row.inputs, *kernel), np.float16)
        yield f"{stem}.{up}.weight", np.ones((outputs, 1, *ones), np.float16)


def _stem(row: Row, style: str) -> str:
    if style == "diffusers":
        return f"{row.component}.{row.module}"
    if style == "kohya":
        return row.original or row.kohya
    if row.component == "transformer":
        return f"diffusion_model.{row.dotted}"
    size = "t5xxl" if row.kohya.startswith("lora_te3_") else SIZES[row.component]
    return f"text_encoders.{size}.transformer.{row.module}"


def _written(row: Row) -> list[object]:
    shape = [row.kind, row.inputs, row.outputs, list(row.kernel), row.has_bias]
    names = [row.kohya, row.original]
    own = [row.dotted, [list(span) for span in row.spans]]
    return [row.component, row.module, *shape, *names, *own]
