# SPDX-License-Identifier: Apache-2.0
"""A story of release health as it should go, with painted pictures."""

import io
from dataclasses import fields
from types import SimpleNamespace
from typing import Any

from PIL import Image

from tabard.cli.demo.health_story import HealthTold
from tabard.health.canary import Canary
from tabard.health.evaluation import (
    EvaluationCell,
    EvaluationPicture,
    EvaluationResult,
    EvaluationStarted,
    Score,
)


def png(colour: str) -> bytes:
    """Return a picture of one colour."""
    file = io.BytesIO()
    Image.new("RGB", (64, 64), colour).save(file, "PNG")
    return file.getvalue()


def made(kind: type[Any], **said: Any) -> Any:
    """Return a frozen value; what is not said is empty."""
    empty = {"str": "", "int": 0, "float": 0.0, "bool": False, "tuple": ()}
    told = {one.name: empty.get(str(one.type).partition("[")[0]) for one in fields(kind)}
    return kind(**told | said)


def told_health(**changes: Any) -> HealthTold:
    """Return a story in which all went well, but for what is said."""
    scores = [
        made(Score, name=name, is_measured=True, value=value, reason="what it is")
        for name, value in (("style", 0.8), ("identifiability", 0.1))
    ]
    counted = made(Score, name="broken", is_measured=True, value=12.0, reason="what it is", of=60)
    scores.append(counted)
    scores.append(made(Score, name="drift", reason="no controls"))
    sides = ("base", "against", "candidate")
    cells = [
        made(
            EvaluationCell,
            prompt_index=place,
            prompt=f"prompt {place}",
            seed=11,
            pictures=tuple(
                made(EvaluationPicture, side=side, png=png(colour))
                for side, colour in zip(sides, ("red", "green", "blue"), strict=True)
            ),
        )
        for place in range(2)
    ]
    started = made(
        EvaluationStarted,
        adapter="acme/ink",
        version="1.1.0",
        against_version="1.0.0",
        cell_count=60,
        prompt_count=15,
        seed_count=4,
    )
    pil = Image.new("RGB", (64, 64), "green")
    image = SimpleNamespace(content=png("green"), pil=pil)
    said: dict[str, Any] = {
        "evaluation": made(
            EvaluationResult,
            started=started,
            verdict="failed",
            scores=tuple(scores),
            cells=tuple(cells),
        ),
        "refused": "stable asks more",
        "canary": made(
            Canary,
            verdict="rolled_back",
            e_value=112.0,
            losses=18,
            units=21,
            channel="stable",
            baseline_version="1.0.0",
        ),
        "record": SimpleNamespace(seq=30, time="", actor="tabard-server"),
        "before": (image,),
        "after": (image,),
        "prompts": ("prompt 0", "prompt 1"),
        "calls": 22,
        "seconds": {},
        "status": SimpleNamespace(version="1"),
    }
    return HealthTold(**said | changes)
