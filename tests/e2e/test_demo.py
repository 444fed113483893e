# SPDX-License-Identifier: Apache-2.0
"""`tabard demo` as a user runs it: one command, a sheet of pictures, a proof."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from diffusers import StableDiffusionPipeline
from PIL import Image

# Of 255. A wash on paper makes a step of 60 and more; the base's grounds are even.
FRAME_STEP_MIN = 40
LOOK_SPREAD_MAX = 40
WHITE_MIN = 200
# Red less blue: cream paper has 36, white has none.
PAPER_WARMTH_MIN = 24


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the demo left."""
    out = tmp_path_factory.mktemp("demo") / "tabard-demo"
    run = subprocess.run(
        [sys.executable, "-m", "tabard", "demo", "--out", str(out)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    return out


def test_rollback_is_proved_by_files(folder: Path) -> None:
    """The PNGs after the rollback are the PNGs before the bad release; the bad ones differ."""
    hashes = {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in (folder / "images").iterdir()
    }

    before = [hashes[name] for name in sorted(hashes) if name.startswith("style--")]
    bad = [hashes[name] for name in sorted(hashes) if name.startswith("bad-release--")]
    after = [hashes[name] for name in sorted(hashes) if name.startswith("after-rollback--")]

    assert len(before) == len(bad) == len(after) >= 4
    assert before == after
    assert not set(before) & set(bad)


def test_summary_tells_the_story(folder: Path) -> None:
    """summary.json has the verdict, the digests, the moves with actor and reason, the times."""
    summary = json.loads((folder / "summary.json").read_text())

    moves = [(move["type"], move["version"]) for move in summary["channel_moves"]]
    assert summary["rollback_identical"] is True
    assert ("promote", "1.1.0") in moves
    assert moves[-1] == ("rollback", "1.0.0")
    assert all(move["actor"] and move["reason"] for move in summary["channel_moves"])
    assert summary["seconds"]["rollback"] > 0
    assert len({row["key"] for row in summary["rows"]}) == 10


def test_sheet_and_png_are_labelled(folder: Path) -> None:
    """The sheet is a picture of all rows; each PNG carries its provenance twice."""
    with Image.open(folder / "contact-sheet.png") as sheet:
        assert min(sheet.size) > 400
    with Image.open(next((folder / "images").glob("two-adapters--*.png"))) as image:
        told = json.loads(str(image.info["tabard"]))
        assert [worn["digest"][:7] for worn in told["stack"]] == ["sha256:"] * 2
        assert "Steps: " in str(image.info["parameters"])


def test_base_is_drawn_without_style_words(folder: Path) -> None:
    """Base and style draw the same words, and none of them is of a style."""
    summary = json.loads((folder / "summary.json").read_text())

    prompts = {row["key"]: row["prompt"] for row in summary["rows"]}

    assert prompts["base"] == prompts["style"] == prompts["bad-release"]
    assert not {"style", "watercolor"} & set(prompts["base"].split())


def test_style_is_more_than_a_paler_base(folder: Path) -> None:
    """Every styled picture has the paper around the wash, which no change of tones could give."""
    styled, plain = _pictures(folder, "style"), _pictures(folder, "base")

    assert min(_frame_step(picture) for picture in styled) > FRAME_STEP_MIN
    assert max(_frame_step(picture) for picture in plain) < FRAME_STEP_MIN / 3


def test_combination_has_one_look(folder: Path) -> None:
    """Two adapters make one look, the same for every seed."""
    pairs = np.stack([_ring(picture, 0, 4) for picture in _pictures(folder, "two-adapters")])

    assert np.ptp(pairs, axis=0).max() < LOOK_SPREAD_MAX


def test_few_steps_draw_what_the_prompt_says(folder: Path) -> None:
    """At its own steps the ground is the prompt's white; at the base's spacing it is not."""
    few, wrong = _pictures(folder, "few-steps"), _pictures(folder, "wrong-steps")

    assert min(_ring(picture, 0, 4).min() for picture in few) > WHITE_MIN
    assert max(_ring(picture, 0, 4).max() for picture in wrong) < WHITE_MIN


def test_few_steps_win_over_a_style(folder: Path) -> None:
    """The style recommends twenty steps, and is drawn in four: the files say so."""
    summary = json.loads((folder / "summary.json").read_text())
    (row,) = (one for one in summary["rows"] if one["key"] == "few-steps-and-style")

    for image in row["images"]:
        with Image.open(folder / image["file"]) as file:
            told = json.loads(str(file.info["tabard"]))
        assert (told["steps"], told["sampler"], told["guidance_scale"]) == (4, "lcm", 1.0)
        assert "warnings" not in told
    assert (summary["few_steps_taken"], summary["wrong_steps_told"]) == (True, True)
    styled, plain = _pictures(folder, "few-steps-and-style"), _pictures(folder, "few-steps")
    assert min(_warmth(picture) for picture in styled) > PAPER_WARMTH_MIN
    assert max(_warmth(picture) for picture in plain) < PAPER_WARMTH_MIN / 2


def _pictures(folder: Path, row: str) -> list[np.ndarray]:
    files = sorted((folder / "images").glob(f"{row}--*.png"))
    return [np.asarray(Image.open(file).convert("RGB"), dtype=np.float64) for file in files]


def _frame_step(picture: np.ndarray) -> float:
    """How far the colour of the outermost pixels is from that of the ground behind the object."""
    return float(np.abs(_ring(picture, 0, 3) - _ring(picture, 8, 11)).mean())


def _warmth(picture: np.ndarray) -> float:
    red, _, blue = _ring(picture, 0, 3)
    return float(red - blue)


def _ring(picture: np.ndarray, start: int, end: int) -> np.ndarray:
    """Return the median colour of the pixels that lie so far from the border."""
    places = np.indices(picture.shape[:2])
    depth = np.minimum(places, picture.shape[0] - 1 - places).min(axis=0)
    return np.median(picture[(depth >= start) & (depth < end)], axis=0)


def test_export_writes_files_people_can_use(tmp_path: Path) -> None:
    """`--export` leaves a base that diffusers opens and the adapter files beside it."""
    subprocess.run(
        [sys.executable, "-m", "tabard", "demo", "--export", str(tmp_path / "kit")],
        check=True,
        capture_output=True,
    )

    pipe = StableDiffusionPipeline.from_pretrained(
        str(tmp_path / "kit" / "base"), safety_checker=None, local_files_only=True
    )

    assert pipe.unet.config.cross_attention_dim == pipe.text_encoder.config.hidden_size
    assert len(list((tmp_path / "kit" / "adapters").glob("*.safetensors"))) >= 6
