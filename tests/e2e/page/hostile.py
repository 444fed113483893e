# SPDX-License-Identifier: Apache-2.0
"""A line of a registry in which every word that people write would rather be markup."""

from __future__ import annotations

import json
from pathlib import Path

from tabard import Client

LINE = "acme/hostile"
MARK = "planted"


def planted(place: str) -> str:
    """Give words that run something where they become markup, and say where they were."""
    return (
        f"{MARK} {place} \"'><img src=x onerror=document.documentElement.dataset.hit=1>"
        "<script>document.documentElement.dataset.hit=1</script><svg onload=hit()>{{7*7}}"
    )


def long_word(place: str) -> str:
    """Give a word that no line of a narrow window holds."""
    return f"{place}{'W' * 120}"


def plant(address: str, *, files: list[Path], folder: Path) -> None:
    """Publish, evaluate, review and move a line whose words are all hostile."""
    with (
        Client(address, actor=planted("actor")) as author,
        Client(address, actor="reviewer <b>") as reviewer,
    ):
        grid = folder / "grid.json"
        grid.write_text(json.dumps(_grid()))
        for number, file in enumerate(files):
            named = folder / f"<img src=x onerror=hit()> {number}.safetensors"
            named.write_bytes(file.read_bytes())
            author.publish(
                LINE,
                named,
                version=f"1.{number}.0",
                notes=planted("notes") + long_word(" notes"),
                title=planted("title"),
                licence=planted("licence"),
                # The first stands in every prompt, of which a toy reads little.
                trigger_words=[f"{MARK} trigger <b>", planted("word"), long_word("word")],
                purpose="style",
                reason=planted("publish"),
            )
            author.promote(f"{LINE}@1.{number}.0", reason=planted("promote") + long_word(" "))
        author.promote(f"{LINE}@1.0.0", channel="beta", reason=planted("beta"))
        ref = f"{LINE}@1.1.0"
        result = author.evaluate(ref, against=f"{LINE}@1.0.0", grid=grid).result()
        report = {**result.report, "goal": {**result.report["goal"], "statement": planted("goal")}}
        edited = author.edit_evidence(
            ref, report, digest=result.report_digest, reason=planted("edit")
        )
        reviewer.review(ref, "reject", note=planted("review"), evidence=edited.note.digest)
        author.yank(f"{LINE}@1.0.0", reason=planted("yank"))
        author.unyank(f"{LINE}@1.0.0", reason=planted("unyank"))


def _grid() -> dict[str, object]:
    # No longer than what the text encoder of a toy reads.
    texts = [f"{MARK} prompt <b>{number} {{trigger}}" for number in range(12)]
    controls = [{"text": f"a control {number}", "control": True} for number in range(3)]
    return {
        "v": 1,
        "kind": "grid",
        "name": "hostile",
        "purpose": "style",
        "prompts": [*({"text": one} for one in texts), *controls],
        "seeds": [11],
        "steps": 2,
        "width": 64,
        "height": 64,
        "guidance_scale": 2.0,
        "sampler": "ddim",
    }
