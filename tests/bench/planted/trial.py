# SPDX-License-Identifier: Apache-2.0
"""Planted releases through a real server: what each is judged, by which figures."""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from tabard import Client
from tabard_server.engine.base.place import DEMO_BASE
from tests.bench.planted.releases import (
    ADAPTERS,
    STYLE,
    Pixels,
    mirrored,
    shifted,
    training_pictures,
    write_broken,
)
from tests.e2e.conftest import run_server

STABLE, MASCOT = "acme/watercolor@1.0.0", "acme/mascot@1.0.0"
EQUAL, EQUAL_MASCOT = "acme/watercolor@1.0.1", "acme/mascot@1.0.1"
"""The same files again: what is judged is never compared with itself."""
LEARNED = json.dumps(
    [{"name": f"demo-{kind}", "kind": kind, "path": "demo"} for kind in ("style", "subject")]
)
ENCODERS = {"fallback": "[]", "demo": LEARNED}
"""What scores, as the setting is written."""
COPIES = 6
SEEDS = [11, 23, 47, 101]
STEPS, SIDE, GUIDANCE, SAMPLER = 8, 64, 4.0, "ddim"
_SHAPES = ("circle", "square", "triangle", "star", "heart", "cross")
_COLOURS = ("red", "blue", "green", "yellow", "purple", "orange")
_GROUNDS = ("white", "black", "gray", "brown")
_CONTROLS = ("a red star", "a blue circle", "a green heart", "a purple cross")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one planted release.

    Attributes:
        plant: What was planted.
        promised: The verdicts that are right.
        verdict: The verdict.
        figures: Each score: value and the ends of its interval, then those of the difference.
        reasons: What the verdict rests on.
    """

    plant: str
    promised: tuple[str, ...]
    verdict: str
    figures: Mapping[str, tuple[float | None, ...]]
    reasons: tuple[str, ...]

    @property
    def is_right(self) -> bool:
        """Whether it was judged as promised."""
        return self.verdict in self.promised


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """One planted release, and what is promised of it."""

    name: str
    ref: str
    promised: tuple[str, ...]


WEIGHTS = (
    Plant(name="equal", ref=EQUAL, promised=("success",)),
    Plant(name="style absent (0.5)", ref=f"{STABLE}:0.5", promised=("failed",)),
    Plant(name="overcooked (1.6)", ref=f"{STABLE}:1.6", promised=("failed",)),
    Plant(name="bad successor", ref="acme/watercolor@1.1.0", promised=("failed",)),
    Plant(name="broken (NaN)", ref="acme/watercolor@1.2.0", promised=("failed",)),
)
TRAINED = (
    Plant(name="honest retrain", ref="acme/watercolor@1.3.0", promised=("success",)),
    Plant(name="another honest retrain", ref="acme/watercolor@1.5.0", promised=("success",)),
    Plant(name="subject collapsed", ref="acme/watercolor@1.4.0", promised=("failed",)),
)


_ABSENT = Plant(name="subject absent (0.2)", ref=f"{MASCOT}:0.2", promised=("failed",))
SUBJECTS = {
    "demo": (Plant(name="mascot", ref=EQUAL_MASCOT, promised=("failed",)), _ABSENT),
    "fallback": (Plant(name="mascot", ref=EQUAL_MASCOT, promised=("inconclusive",)), _ABSENT),
}
"""By the name of the encoders. The demo's mascot was taught ten pictures that are nearly one, and
draws one whatever the seed; without weights nobody sees a subject, and people decide."""


def write_grid(folder: Path) -> Path:
    """Write a grid of what the demo base can draw: 12 prompts and 4 controls, 4 seeds."""
    prompts = [{"text": _prompt(number)} for number in range(12)]
    return _write_grid(folder / "grid.json", purpose="style", prompts=prompts)


def write_subject_grid(folder: Path) -> Path:
    """Write a grid of one subject on every ground, in three sizes; the base draws a circle."""
    prompts = [
        {"text": f"a {size}{{trigger}} on a {ground} background", "class_word": "circle"}
        for size in ("", "small ", "large ")
        for ground in _GROUNDS
    ]
    return _write_grid(folder / "subject-grid.json", purpose="subject", prompts=prompts)


def _write_grid(path: Path, *, purpose: str, prompts: Sequence[Mapping[str, str]]) -> Path:
    controls = [{"text": f"{one} on a white background", "control": True} for one in _CONTROLS]
    document = {
        "v": 1,
        "kind": "grid",
        "name": "demo",
        "purpose": purpose,
        "prompts": [*prompts, *controls],
        "seeds": SEEDS,
        "steps": STEPS,
        "width": SIDE,
        "height": SIDE,
        "guidance_scale": GUIDANCE,
        "sampler": SAMPLER,
    }
    path.write_text(json.dumps(document))
    return path


@contextmanager
def server(
    folder: Path, *, encoders: str, trained: Mapping[str, Path] | None = None
) -> Iterator[Client]:
    """Run the demo base with the stable release and all planted ones."""
    broken = folder / "broken.safetensors"
    folder.mkdir(parents=True, exist_ok=True)
    write_broken(broken)
    files = {
        "1.0.0": ADAPTERS / "watercolor-1.0.0.safetensors",
        "1.0.1": ADAPTERS / "watercolor-1.0.0.safetensors",
        "1.1.0": ADAPTERS / "watercolor-1.1.0.safetensors",
        "1.2.0": broken,
        **(trained or {}),
    }
    settings = {"cache": str(folder / "cache"), "encoders": encoders, "torch_threads": 1}
    with (
        run_server(folder / f"server-{len(encoders)}", base=DEMO_BASE, **settings) as running,
        Client(running.address) as client,
    ):
        for version, file in files.items():
            name = STABLE.partition("@")[0]
            client.publish(name, file, version=version, purpose="style", trigger_words=[STYLE])
        for ref in (MASCOT, EQUAL_MASCOT):
            name, _, version = ref.partition("@")
            client.publish(
                name,
                ADAPTERS / "mascot-1.0.0.safetensors",
                version=version,
                kind="dreambooth",
                purpose="subject",
                trigger_words=["sks mascot"],
            )
        client.promote(STABLE)
        client.promote(MASCOT)
        yield client


def judge(client: Client, plant: Plant, *, grid: Path) -> Outcome:
    """Evaluate a planted release beside the one in service."""
    return _outcome(client, plant, grid=grid, training=())


def judge_copies(client: Client, *, grid: Path) -> list[Outcome]:
    """Plant what stable draws among its training pictures: as it is, mirrored, and moved.

    The release draws nearly what it was trained on, whichever way the pictures came about.
    """
    drawn = _drawn(client)
    honest = training_pictures()
    planted = {
        "training pictures, no copies": ("success", honest),
        "training copied": ("inconclusive", honest + drawn),
        "training copied, mirrored": ("inconclusive", honest + mirrored(drawn)),
        "training copied, moved": ("inconclusive", honest + shifted(drawn)),
    }
    return [
        _outcome(
            client,
            Plant(name=name, ref=EQUAL, promised=(verdict,)),
            grid=grid,
            training=list(map(_png, pictures)),
        )
        for name, (verdict, pictures) in planted.items()
    ]


def _drawn(client: Client) -> list[Pixels]:
    """Draw a few cells of the grid again, as anybody would: each of another prompt."""
    texts = [_prompt(n).format(trigger=STYLE) for n in range(COPIES)]
    results = [
        client.generate(
            text,
            adapters=[STABLE],
            seed=SEEDS[0],
            num_inference_steps=STEPS,
            guidance_scale=GUIDANCE,
            sampler=SAMPLER,
            width=SIDE,
            height=SIDE,
        )
        for text in texts
    ]
    files = [one.images[0].content for one in results]
    return [np.asarray(Image.open(io.BytesIO(one)).convert("RGB")) for one in files]


def _prompt(number: int) -> str:
    colour, ground = _COLOURS[number % 6], _GROUNDS[number % 4]
    shape = _SHAPES[(number + number // 6) % 6]
    return f"a large {colour} {shape} on a {ground} background, {{trigger}}"


def _outcome(client: Client, plant: Plant, *, grid: Path, training: Sequence[bytes]) -> Outcome:
    against = MASCOT if plant.ref.startswith(MASCOT.partition("@")[0]) else STABLE
    result = client.evaluate(plant.ref, against=against, grid=grid, training=training).result()
    return Outcome(
        plant=plant.name,
        promised=plant.promised,
        verdict=result.verdict,
        figures={
            one.name: (one.value, one.low, one.high, one.paired_low, one.paired_high)
            for one in result.scores
            if one.is_measured
        },
        reasons=result.reasons,
    )


def _png(pixels: Pixels) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()
