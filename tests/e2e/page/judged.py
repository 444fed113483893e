# SPDX-License-Identifier: Apache-2.0
"""A line with a report whose pairs are voted on, and words in its grid that would be markup."""

from __future__ import annotations

import json
from pathlib import Path

from tabard import Client
from tests.e2e.page.hostile import MARK

LINE = "acme/quietwash"
REF = f"{LINE}@4.7.1"
BEFORE = "3.9.2"
PROMPTS, SEEDS = 12, (11, 23)


def judge(author: Client, *, files: list[Path], folder: Path) -> None:
    """Publish two versions with references, and compare the second with the first."""
    grid = folder / "grid.json"
    grid.write_text(json.dumps(_grid()))
    for version, file in zip((BEFORE, "4.7.1"), files, strict=True):
        author.publish(
            LINE,
            file,
            version=version,
            trigger_words=[f"{MARK} word <b>"],
            purpose="style",
        )
        author.promote(f"{LINE}@{version}", reason=f"{MARK} <img src=x onerror=hit()>")
    pictures = [
        author.generate(
            f"number {seed}", adapters=f"{LINE}@{BEFORE}", seed=seed, num_inference_steps=2
        )
        for seed in range(4)
    ]
    kept = []
    for number, one in enumerate(pictures):
        kept.append(folder / f"{number}.png")
        kept[-1].write_bytes(one.images[0].content)
    author.publish_references(f"{LINE}@{BEFORE}", kept)
    author.publish_references(f"{LINE}@{BEFORE}", kept, training=True)
    author.evaluate(REF, against=f"{LINE}@{BEFORE}", grid=grid).result()


def _grid() -> dict[str, object]:
    prompts = [{"text": f"<b>{number} {{trigger}}"} for number in range(PROMPTS)]
    return {
        "v": 1,
        "kind": "grid",
        "name": "hostile",
        "purpose": "style",
        "prompts": prompts,
        "seeds": list(SEEDS),
        "steps": 2,
        "width": 64,
        "height": 64,
        "guidance_scale": 2.0,
        "sampler": "ddim",
    }
