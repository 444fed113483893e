# SPDX-License-Identifier: Apache-2.0
"""`tabard diff --pictures` draws both releases, and says how far their pictures are apart."""

import json
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

from tabard.calls.health.compare import SEEDS
from tabard.cli.commands.release.picture_diff import PROMPTS
from tabard.pictures.png_text import SHEET_KEYWORD
from tabard_registry.evidence.grid import Grid, GridPrompt
from tabard_server.evaluation.shipped_grids import SEEDS as SHIPPED_SEEDS
from tabard_server.evaluation.shipped_grids import shipped_grids
from tests.clients.cli.conftest import Tabard
from tests.clients.fakes.real_server import real_server
from tests.clients.fakes.server import FakeServer
from tests.registry.evidence.reports import ANN

PROMPTS_OF_THE_LINE = tuple(GridPrompt(text=f"thing {number}") for number in range(12))
BOTH = ("acme/watercolor@1.0.0", "acme/watercolor@1.1.0")


def test_default_pictures_are_those_of_the_grid() -> None:
    """The SDK knows no server's code; what it repeats of it is the same."""
    grids = shipped_grids(width=64, height=64, steps=4, guidance_scale=4.0)

    assert SEEDS == SHIPPED_SEEDS
    assert PROMPTS.keys() == grids.keys()
    for purpose, grid in grids.items():
        assert tuple(one.text for one in grid.prompts[:2]) == PROMPTS[purpose]


def test_pictures_are_measured_and_shown(published: Tabard, tmp_path: Path) -> None:
    """Two prompts, two seeds; the numbers are those of the files."""
    ran = published("diff", *BOTH, "--pictures", "--out", tmp_path, "--json")

    assert ran.code == 0
    found = ran.document["pictures"]
    assert [one["seed"] for one in found["pictures"]] == [11, 23, 11, 23]
    assert found["pictures"][0]["prompt"] == "a lighthouse on a cliff"
    for one in found["pictures"]:
        left, right = (Image.open(tmp_path / one[name]) for name in ("left", "right"))
        with left, right:
            apart = ImageChops.difference(left.convert("RGB"), right.convert("RGB"))
        assert one["pixels"]["mean"] == pytest.approx(sum(ImageStat.Stat(apart).mean) / 3)
    means = [one["pixels"]["mean"] for one in found["pictures"]]
    assert found["mean"] == pytest.approx(sum(means) / 4) and found["mean"] > 0
    with Image.open(found["sheet"]) as sheet:
        assert sheet.width > 3 * 256 and sheet.height > 4 * 256
        assert SHEET_KEYWORD in sheet.info
    index = json.loads((tmp_path / "index.json").read_text(encoding="utf-8"))
    assert index["differences"] == found["pictures"]


def test_people_are_told_how_far(published: Tabard, tmp_path: Path) -> None:
    """Beside what diff says anyway."""
    ran = published("diff", *BOTH, "--pictures", "--prompt", "a cat", "--seeds", "3", "--out",
                    tmp_path)  # fmt: skip

    assert "acme/watercolor 1.0.0 beside acme/watercolor 1.1.0" in ran.out
    assert "a cat" in ran.out and "100% of pixels" in ran.out and "sheet.png" in ran.out


def test_same_release_draws_nothing(published: Tabard, server: FakeServer, tmp_path: Path) -> None:
    """There is nothing to see."""
    ran = published("diff", BOTH[0], BOTH[0], "--pictures", "--out", tmp_path / "x", "--json")

    assert ran.code == 0 and ran.document["pictures"] is None
    assert not (tmp_path / "x").exists()


def test_grid_of_the_line_is_drawn(
    tabard: Tabard, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its first prompts and seeds, with its steps and its size; a control prompt is none."""
    with real_server(tmp_path) as running:
        monkeypatch.setenv("TABARD_ADDRESS", running.address)
        for version in ("1.0.0", "1.1.0"):
            running.publish("acme/ink", version)
        own = Grid(
            name="style",
            prompts=(GridPrompt(text="a fixed point", control=True), *PROMPTS_OF_THE_LINE),
            seeds=(5, 6, 7), steps=3, width=32, height=16, guidance_scale=2.0,
            negative_prompt="fog",
        )  # fmt: skip
        running.registry.evidence.put_grid(own, place="acme/ink", author=ANN)

        ran = tabard("diff", "acme/ink@1.0.0", "acme/ink@1.1.0", "--pictures", "--out",
                     tmp_path / "x", "--json")  # fmt: skip

    assert ran.code == 0
    drawn = [(one["prompt"], one["seed"]) for one in ran.document["pictures"]["pictures"]]
    assert drawn == [("thing 0", 5), ("thing 0", 6), ("thing 1", 5), ("thing 1", 6)]
    index = json.loads((tmp_path / "x" / "index.json").read_text(encoding="utf-8"))
    assert index["options"] == {
        "num_inference_steps": 3,
        "guidance_scale": 2.0,
        "width": 32,
        "height": 16,
        "negative_prompt": "fog",
    }


@pytest.mark.parametrize("said", [("--prompt", "a"), ("--seeds", "1"), ("--out", "x")])
def test_options_of_pictures_need_them(published: Tabard, said: tuple[str, str]) -> None:
    """What would have no effect is not passed over."""
    ran = published("diff", *BOTH, *said)

    assert ran.code == 2 and f"{said[0]} says nothing without --pictures" in ran.err
