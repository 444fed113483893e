# SPDX-License-Identifier: Apache-2.0
"""Every kind of release is drawn and judged on a real engine: each as it is worn and woken."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tabard import Client
from tabard.health.evaluation import EvaluationResult
from tests.bases import load_pipeline, write_diffusers_lora, write_inversion
from tests.tuned_models import add_low_rank, extracted, make_tuned_model


@pytest.fixture
def references() -> list[bytes]:
    """Return four pictures."""
    return [picture(seed) for seed in range(4)]


def picture(seed: int) -> bytes:
    """Return noise as a file."""
    file = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def grid_in(folder: Path, *, text: str, controls: int = 0) -> Path:
    """Write a grid of small pictures."""
    scored = [{"text": f"{text} {number}"} for number in range(12)]
    document = {
        "v": 1,
        "kind": "grid",
        "name": "small",
        "prompts": [
            *scored,
            *({"text": f"a blue {number}", "control": True} for number in range(controls)),
        ],
        "seeds": [1],
        "steps": 2,
        "width": 32,
        "height": 32,
        "guidance_scale": 5.0,
    }
    path = folder / "grid.json"
    path.write_text(json.dumps(document))
    return path


def check(result: EvaluationResult, *, kind: str, weight: float = 1.0) -> dict[str, Any]:
    """Look at what every evaluation must say; return the report."""
    report = result.report
    assert report["release"]["kind"] == report["technical"]["kind"] == kind
    assert report["technical"].get("weight", 1.0) == weight
    assert report["goal"]["why_this_method"]
    assert len(result.cells) == len(report["candidates"]) == 12
    assert all(one.digest for cell in result.cells for one in cell.pictures)
    for cell in result.cells:
        drawn = {one.side: one.digest for one in cell.pictures}
        assert drawn["candidate"] != drawn["base"]
    assert result.verdict in ("success", "failed", "inconclusive")
    return report


def test_lora(
    tiny_client: Client, tiny_base: Path, tmp_path: Path, references: list[bytes]
) -> None:
    """At a weight of its own."""
    file = write_diffusers_lora(tiny_base, tmp_path / "style.safetensors", seed=31)
    tiny_client.publish("kinds/style", file, version="1.0.0")

    result = tiny_client.evaluate(
        "kinds/style@1.0.0:0.7", grid=grid_in(tmp_path, text="a red star"), references=references
    ).result()

    report = check(result, kind="lora", weight=0.7)
    assert report["technical"]["mode"] == "rows"
    assert report["technical"]["layers"]["cross_attention"] > 0


def test_textual_inversion(
    tiny_client: Client, tiny_base: Path, tmp_path: Path, references: list[bytes]
) -> None:
    """Its token takes the place of the trigger; it has no weight, and the base knows no token."""
    file = tmp_path / "word.safetensors"
    width = load_pipeline(tiny_base).text_encoder.config.hidden_size
    write_inversion(file, token="<wash>", width=width, vectors=2, seed=32)
    tiny_client.publish("kinds/word", file, version="1.0.0")

    result = tiny_client.evaluate(
        "kinds/word@1.0.0", grid=grid_in(tmp_path, text="a {trigger} star"), references=references
    ).result()

    report = check(result, kind="textual_inversion")
    assert report["prompt_record"][3]["prompt"] == "a <wash> star 3"


def test_words_beside_controls(
    tiny_client: Client, tiny_base: Path, tmp_path: Path, references: list[bytes]
) -> None:
    """Every shipped grid has prompts without the word: there a word changes nothing."""
    style = write_diffusers_lora(tiny_base, tmp_path / "style.safetensors", seed=31)
    tiny_client.publish("words/style", style, version="1.0.0", trigger_words=["inky"])
    file = tmp_path / "word.safetensors"
    width = load_pipeline(tiny_base).text_encoder.config.hidden_size
    write_inversion(file, token="<wash>", width=width, vectors=2, seed=32)
    tiny_client.publish("words/word", file, version="1.0.0")
    tiny_client.publish_recipe(
        "words/both", ["words/style@1.0.0:0.6", "words/word@1.0.0"], version="1.0.0"
    )
    grid = grid_in(tmp_path, text="a star, {trigger}", controls=2)

    for name, prompt in (("word", "a star, <wash> 0"), ("both", "a star, inky, <wash> 0")):
        result = tiny_client.evaluate(
            f"words/{name}@1.0.0", grid=grid, references=references
        ).result()

        assert result.report["prompt_record"][0]["prompt"] == prompt
        assert result.report["prompt_record"][12]["prompt"] == "a blue 0"
        assert len(result.cells) == 14


def test_dreambooth(
    tiny_client: Client, tiny_base: Path, tmp_path: Path, references: list[bytes]
) -> None:
    """A tuned model, made an adapter by `tabard extract`."""
    tuned = make_tuned_model(tiny_base, tmp_path / "tuned", add_low_rank(2))
    file = tmp_path / "mascot.safetensors"
    extracted(tiny_base, tuned, file, rank=2)
    tiny_client.publish(
        "kinds/mascot", file, version="1.0.0", kind="dreambooth", purpose="subject",
        trigger_words=["zwx"],
    )  # fmt: skip

    result = tiny_client.evaluate(
        "kinds/mascot@1.0.0", grid=grid_in(tmp_path, text="a {trigger} star"), references=references
    ).result()

    report = check(result, kind="dreambooth")
    assert report["prompt_record"][0]["prompt"] == "a zwx star 0"
    # Nobody here sees subjects: that is said, and is no success.
    assert result.verdict != "success"
    assert any(reason.startswith("subject: not checked") for reason in result.reasons)


def test_recipe(tiny_client: Client, tiny_base: Path, tmp_path: Path) -> None:
    """Two releases worn together, against one of them worn alone."""
    for number, name in enumerate(("ink", "wash")):
        file = write_diffusers_lora(tiny_base, tmp_path / f"{name}.safetensors", seed=40 + number)
        tiny_client.publish(f"kinds/{name}", file, version="1.0.0")
    tiny_client.publish_recipe(
        "kinds/both", ["kinds/ink@1.0.0:0.6", "kinds/wash@1.0.0:0.4"], version="1.0.0"
    )

    result = tiny_client.evaluate(
        "kinds/both@1.0.0",
        against="kinds/ink@1.0.0",
        grid=grid_in(tmp_path, text="a red star"),
    ).result()

    check(result, kind="recipe")
    sides = [one.side for one in result.cells[0].pictures]
    digests = [one.digest for one in result.cells[0].pictures]
    assert sides == ["candidate", "against", "base"]
    assert len(set(digests)) == 3
