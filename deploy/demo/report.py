# SPDX-License-Identifier: Apache-2.0
"""Measure the base and its adapters: figures.json and the sample sheets.

Finished folders go in, numbers and PNGs come out; nothing is trained here.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from base import load_base
from classifier import Classifier, judge_pictures, load_classifier, measure_accuracy
from diffusers import StableDiffusionPipeline
from sampling import SAMPLERS, sample, save_sheet
from styles import PLUM, draw_mascot, draw_neon, draw_watercolor
from vae import measure_psnr
from world import BACKGROUNDS, COLOURS, SHAPES, combinations, draw, make_scene

PROMPTS_COUNT = 64
SEEDS = (101, 202)
FAST = "fast-1.0.0"
GROUND_OFF_MAX = 24.0
SHEET_PROMPTS = [
    "a red circle",
    "a blue star on a white background",
    "a large green heart on a black background",
    "a yellow triangle on a brown background",
    "a purple cross on a gray background",
    "a small orange square on a white background",
]

Figures = dict[str, object]


def write_figures(out: Path, *, base: Path, adapters: Path, sheets: Path) -> Figures:
    """Measure everything; write OUT/figures.json and the sheets."""
    judge = load_classifier(out / "classifier.pt")
    figures: Figures = {
        "judge": dict(
            zip(("shape", "colour"), measure_accuracy(judge, count=512, seed=91), strict=True)
        ),
        "psnr_db": measure_looks(load_base(base)),
        "held_out": measure_prompts(load_base(base), judge, held_out=True),
        "samplers": measure_samplers(load_base(base), judge),
        "adapters": measure_adapters(base, adapters, judge),
        "few_steps": measure_few_steps(base, adapters, judge),
    }
    (out / "figures.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    draw_sheets(base, adapters, sheets)
    return figures


def measure_looks(pipeline: StableDiffusionPipeline) -> dict[str, float]:
    """PSNR of the autoencoder on fresh pictures of each look."""
    rng = random.Random(17)
    scenes = [make_scene(rng, triple=rng.choice(combinations(held_out=True))) for _ in range(48)]
    looks = {
        "flat": [draw(scene) for scene in scenes],
        "watercolor": [draw_watercolor(scene, rng) for scene in scenes],
        "neon": [draw_neon(scene, rng) for scene in scenes],
        "mascot": [draw_mascot(rng, background=scene.background) for scene in scenes],
    }
    return {
        name: round(measure_psnr(pipeline.vae, np.stack(images)), 2)
        for name, images in looks.items()
    }


def measure_prompts(
    pipeline: StableDiffusionPipeline, judge: Classifier, *, held_out: bool
) -> dict[str, float]:
    """Draw 64 prompts with two seeds and let the judge name what is there."""
    rng = random.Random(23)
    triples = combinations(held_out=held_out)
    rng.shuffle(triples)
    chosen = [triples[index % len(triples)] for index in range(PROMPTS_COUNT)]
    sizes = ["" if index < len(triples) else "large " for index in range(PROMPTS_COUNT)]
    prompts = [
        f"a {size}{colour} {shape} on a {ground} background"
        for size, (shape, colour, ground) in zip(sizes, chosen, strict=True)
    ]
    return _score(
        pipeline, judge, prompts=prompts, chosen=[triple[:2] for triple in chosen], seeds=SEEDS
    )


def measure_samplers(
    pipeline: StableDiffusionPipeline, judge: Classifier
) -> dict[str, dict[str, float]]:
    """The same 32 plain prompts ("a red circle") with each sampler at 20 steps."""
    chosen = [
        (SHAPES[index % 7], list(COLOURS)[(index * 3 + index // 8) % 8]) for index in range(32)
    ]
    prompts = [f"a {colour} {shape}" for shape, colour in chosen]
    return {
        name: _score(pipeline, judge, prompts=prompts, chosen=chosen, seeds=(7,), sampler=name)
        for name in SAMPLERS
    }


def measure_adapters(base: Path, folder: Path, judge: Classifier) -> dict[str, dict[str, object]]:
    """For each adapter one simple effect, with and without it, at the same prompts and seeds."""
    chosen = [(SHAPES[index % 7], list(COLOURS)[(index * 3) % 8]) for index in range(16)]
    prompts = [f"a {colour} {shape} on a white background" for shape, colour in chosen]
    seeds = list(range(300, 316))
    plain = sample(load_base(base), prompts, seeds=seeds)
    figures: dict[str, dict[str, object]] = {
        "none": {**_look(plain), **_right(judge, plain, chosen)}
    }
    for name in ("watercolor-1.0.0", "watercolor-1.1.0", "neon-1.0.0"):
        images = sample(load_with(base, folder, name), prompts, seeds=seeds)
        figures[name] = {**_look(images), **_right(judge, images, chosen)}
    plum_prompts = [f"a <plum> {SHAPES[index % 7]} on a white background" for index in range(16)]
    figures["plum"] = {
        "plum_share": _plum_share(
            sample(load_with(base, folder, "plum"), plum_prompts, seeds=seeds)
        )
    }
    mascots = ["a sks mascot on a white background"] * 16
    figures["mascot-1.0.0"] = {
        "likeness_db": _likeness(
            sample(load_with(base, folder, "mascot-1.0.0"), mascots, seeds=seeds)
        ),
        "likeness_db_without": _likeness(sample(load_base(base), mascots, seeds=seeds)),
    }
    return figures


FEW_STEPS: dict[str, tuple[str, dict[str, Any]]] = {
    "teacher, 20 steps": ("none", {"steps": 20, "guidance": 4.0, "sampler": "ddim"}),
    "base, 4 steps": ("none", {"steps": 4, "guidance": 4.0, "sampler": "ddim"}),
    "base, 4 steps, trailing": (
        "none",
        {"steps": 4, "guidance": 4.0, "sampler": "ddim", "spacing": "trailing"},
    ),
    "base, 4 steps of lcm": ("none", {"steps": 4, "guidance": 1.0, "sampler": "lcm"}),
    "fast, 4 steps of lcm": (FAST, {"steps": 4, "guidance": 1.0, "sampler": "lcm"}),
    "fast, 2 steps of lcm": (FAST, {"steps": 2, "guidance": 1.0, "sampler": "lcm"}),
    "fast, 8 steps of lcm": (FAST, {"steps": 8, "guidance": 1.0, "sampler": "lcm"}),
    "fast, lcm at the base's timesteps": (
        FAST,
        {"timesteps": [751, 501, 251, 1], "guidance": 1.0, "sampler": "lcm"},
    ),
    "fast, ddim at the base's spacing": (FAST, {"steps": 4, "guidance": 1.0, "sampler": "ddim"}),
    "fast, ddim, trailing": (
        FAST,
        {"steps": 4, "guidance": 1.0, "sampler": "ddim", "spacing": "trailing"},
    ),
    "fast, lcm with guidance": (FAST, {"steps": 4, "guidance": 4.0, "sampler": "lcm"}),
}


SHEET_FEW = (
    "teacher, 20 steps",
    "fast, 4 steps of lcm",
    "fast, ddim at the base's spacing",
    "base, 4 steps of lcm",
)


def measure_few_steps(base: Path, folder: Path, judge: Classifier) -> dict[str, dict[str, Any]]:
    """The few-step adapter as it declares and otherwise, beside the base that taught it."""
    grounds = list(BACKGROUNDS)
    chosen = [
        (SHAPES[i % 7], list(COLOURS)[(i * 3 + i // 8) % 8], grounds[(i * 5 + i // 4) % 4])
        for i in range(PROMPTS_COUNT)
    ]
    prompts = [f"a {colour} {shape} on a {ground} background" for shape, colour, ground in chosen]
    expected = np.array([BACKGROUNDS[ground] for *_, ground in chosen], dtype=np.float32)
    figures, teacher = {}, None
    for name, (adapter, options) in FEW_STEPS.items():
        pipeline = load_with(base, folder, adapter)
        images = sample(pipeline, prompts, seeds=list(range(300, 300 + len(prompts))), **options)
        teacher = images if teacher is None else teacher
        off = np.abs(_border(images) - expected).mean(axis=1)
        apart = np.abs(images.astype(np.float32) - teacher).mean()
        figures[name] = {
            **_right(judge, images, [triple[:2] for triple in chosen]),
            "ground": round(float((off < GROUND_OFF_MAX).mean()), 3),
            "apart": round(float(apart), 1),
        }
    return figures


def load_with(base: Path, folder: Path, name: str) -> StableDiffusionPipeline:
    """Load the base with one adapter on it at weight 1."""
    pipeline = load_base(base)
    if name == "plum":
        pipeline.load_textual_inversion(str(folder / "plum.safetensors"), token="<plum>")
    elif name != "none":
        pipeline.load_lora_weights(str(folder), weight_name=f"{name}.safetensors")
    return pipeline


def draw_sheets(base: Path, folder: Path, sheets: Path) -> None:
    """Draw `base.png` (seeds across) and `adapters.png` (an adapter a row, prompts across)."""
    prompts = [prompt for prompt in SHEET_PROMPTS for _ in range(8)]
    save_sheet(
        sheets / "base.png",
        sample(load_base(base), prompts, seeds=list(range(1, 9)) * 6),
        columns=8,
    )
    rows = []
    for name in ("none", "watercolor-1.0.0", "watercolor-1.1.0", "neon-1.0.0"):
        rows.append(sample(load_with(base, folder, name), SHEET_PROMPTS, seeds=[1, 2, 3, 4, 5, 6]))
    words = [
        prompt.split()[-1]
        for prompt in ("a circle", "a star", "a heart", "a triangle", "a cross", "a square")
    ]
    plums = [f"a <plum> {word} on a white background" for word in words]
    rows.append(sample(load_with(base, folder, "plum"), plums, seeds=[1, 2, 3, 4, 5, 6]))
    grounds = [
        "",
        " on a white background",
        " on a black background",
        " on a gray background",
        "",
        "",
    ]
    mascots = [f"a sks mascot{ground}" for ground in grounds]
    rows.append(sample(load_with(base, folder, "mascot-1.0.0"), mascots, seeds=[1, 2, 3, 4, 5, 6]))
    save_sheet(sheets / "adapters.png", np.concatenate(rows), columns=6)
    draw_few_steps(base, folder, sheets / "few-steps.png")


def draw_few_steps(base: Path, folder: Path, path: Path) -> None:
    """Draw the rows of `FEW_STEPS` that `SHEET_FEW` names, prompts across."""
    rows = []
    for name in SHEET_FEW:
        adapter, options = FEW_STEPS[name]
        pipeline = load_with(base, folder, adapter)
        rows.append(sample(pipeline, SHEET_PROMPTS, seeds=[1, 2, 3, 4, 5, 6], **options))
    save_sheet(path, np.concatenate(rows), columns=6)


def _score(
    pipeline: StableDiffusionPipeline,
    judge: Classifier,
    *,
    prompts: list[str],
    chosen: Sequence[tuple[str, ...]],
    seeds: tuple[int, ...],
    sampler: str = "dpmpp_2m",
) -> dict[str, float]:
    every = [
        (prompt, triple, seed)
        for seed in seeds
        for prompt, triple in zip(prompts, chosen, strict=True)
    ]
    images = sample(
        pipeline,
        [row[0] for row in every],
        seeds=[row[2] * 1000 + index for index, row in enumerate(every)],
        sampler=sampler,
    )
    return {"pictures": len(every), **_right(judge, images, [row[1] for row in every])}


def _right(
    judge: Classifier, images: np.ndarray, chosen: Sequence[tuple[str, ...]]
) -> dict[str, float]:
    shapes, colours = judge_pictures(judge, images)
    shape = np.array([name == pair[0] for name, pair in zip(shapes, chosen, strict=True)])
    colour = np.array([name == pair[1] for name, pair in zip(colours, chosen, strict=True)])
    return {
        "shape": round(shape.mean(), 3),
        "colour": round(colour.mean(), 3),
        "both": round((shape & colour).mean(), 3),
    }


def _look(images: np.ndarray) -> dict[str, object]:
    """Luminance and warmth (red minus blue) of the outermost four pixels, and the mean contrast."""
    border = _border(images).mean(axis=0)
    return {
        "border_luminance": round(float(border @ (0.299, 0.587, 0.114)), 1),
        "border_warmth": round(float(border[0] - border[2]), 1),
    }


def _border(images: np.ndarray) -> np.ndarray:
    pixels = images.astype(np.float32)
    frame = np.ones(pixels.shape[1:3], dtype=bool)
    frame[4:-4, 4:-4] = False
    return pixels[:, frame].mean(axis=1)


def _plum_share(images: np.ndarray) -> float:
    """Share of pictures whose object's mean colour is nearer to plum than to any known colour."""
    white = np.array(BACKGROUNDS["white"], dtype=np.float32)
    palette = np.array([PLUM, *COLOURS.values()], dtype=np.float32)
    hits = []
    for image in images.astype(np.float32):
        object_pixels = image[np.abs(image - white).sum(axis=-1) > 150]
        if len(object_pixels) < 20:
            hits.append(False)
            continue
        colour = np.median(object_pixels, axis=0)
        hits.append(int(np.square(palette - colour).sum(axis=1).argmin()) == 0)
    return round(float(np.mean(hits)), 3)


def _likeness(images: np.ndarray) -> float:
    """Mean over pictures of the best PSNR against many drawn mascots."""
    rng = random.Random(5)
    drawn = np.stack([draw_mascot(rng, background="white") for _ in range(200)]).astype(np.float32)
    errors = [
        np.square(drawn - image.astype(np.float32)).mean(axis=(1, 2, 3)).min() for image in images
    ]
    return round(float(np.mean(10 * np.log10(255.0**2 / np.array(errors)))), 2)
