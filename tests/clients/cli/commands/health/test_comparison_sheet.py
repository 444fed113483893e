# SPDX-License-Identifier: Apache-2.0
"""A sheet has a row for each prompt and seed, a column for each side, and a name on each cell."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from tabard.cli.commands.health import comparison_sheet as module
from tabard.cli.commands.health.comparison_sheet import comparison_sheet, how_drawn
from tabard.health.compared import ComparisonPlan, ComparisonSide


def side(name: str, *, version: str = "1.0.0", word: str = "") -> ComparisonSide:
    return ComparisonSide(
        ref=name, adapter=name, version=version, digest=f"sha256:{name}{version}", weight=0.8,
        word=word,
    )  # fmt: skip


BASE = ComparisonSide(ref="")
TOLD = {"steps": 4, "sampler": "ddim", "guidance_scale": 4.0, "width": 64, "height": 32}


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Give what draws a plan and returns what the sheet was made of."""
    kept: dict[str, Any] = {}

    def keep(rows: Sequence[Any], **said: Any) -> Image.Image:
        kept.update(said, rows=rows)
        return Image.new("RGB", (1, 1))

    monkeypatch.setattr(module, "contact_sheet", keep)

    def draw(plan: ComparisonPlan, **told: Any) -> dict[str, Any]:
        file, chunks, sink = tmp_path / "x.png", PngImagePlugin.PngInfo(), io.BytesIO()
        chunks.add_text("tabard", json.dumps(TOLD | told))
        Image.new("RGB", (64, 32)).save(sink, format="PNG", pnginfo=chunks)
        file.write_bytes(sink.getvalue())
        comparison_sheet(plan, dict.fromkeys(plan.cells, file))
        return kept

    return draw


def test_rows_and_columns_are_named(drawn: Any) -> None:
    """A prompt is named once, its seeds each; versions of one line need no name on their cells."""
    ink = [side("acme/ink", word="inky"), side("acme/ink", version="1.1.0", word="inky")]

    sheet = drawn(ComparisonPlan(sides=(BASE, *ink), prompts=("a {trigger}", "b"), seeds=(1, 2)))

    assert sheet["title"] == "acme/ink 1.0.0 · acme/ink 1.1.0"
    assert sheet["columns"] == ["base", "acme/ink 1.0.0 at 0.8", "acme/ink 1.1.0 at 0.8"]
    rows = sheet["rows"]
    assert [(one.label, one.note) for one in rows] == [
        ("a inky", "seed 1"),
        ("", "seed 2"),
        ("b", "seed 1"),
        ("", "seed 2"),
    ]
    assert rows[1].captions == ("base · seed 2", "1.0.0 at 0.8 · seed 2", "1.1.0 at 0.8 · seed 2")


def test_several_words_stand_with_their_releases(drawn: Any) -> None:
    """Lines are told apart on every cell, and the placeholder is explained."""
    sides = (side("acme/ink", word="inky"), side("acme/pen", word="<pen>"))

    sheet = drawn(ComparisonPlan(sides=sides, prompts=("a {trigger}",), seeds=(1,)))

    assert sheet["columns"][1] == "acme/pen 1.0.0 at 0.8\n“<pen>”"
    assert sheet["rows"][0].label == "a (trigger)"
    assert sheet["rows"][0].captions[1] == "pen 1.0.0 at 0.8 · seed 1"
    assert "(trigger) stands for" in sheet["caption"]


def test_many_cells_are_small(drawn: Any) -> None:
    """A sheet of everything that a comparison may have is still a picture that opens."""
    few = drawn(ComparisonPlan(sides=(BASE, side("a/b")), prompts=("a",), seeds=(1, 2)))
    assert few["cell_pixels"] == 256

    many = drawn(ComparisonPlan(sides=(BASE, side("a/b")), prompts=("a",), seeds=range(200)))  # type: ignore[arg-type]
    assert many["cell_pixels"] == 128


def test_caption_says_how_it_was_drawn(drawn: Any, tmp_path: Path) -> None:
    """By what the images say of themselves, not by what was asked for."""
    drawn(ComparisonPlan(sides=(side("a/b"),), prompts=("a",), seeds=(1,)), negative_prompt="fog")

    assert how_drawn(tmp_path / "x.png") == (
        "Drawn with 4 steps of ddim, guidance 4, 64x32, kept away from “fog”."
    )
