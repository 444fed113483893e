# SPDX-License-Identifier: Apache-2.0
"""Releases with planted regressions: files made by the demo's recipe, and pictures to copy."""

import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from tabard_server.engine.base.place import DEMO_BASE
from tests.root import ROOT

ADAPTERS = DEMO_BASE.parent / "adapters"
STYLE = "watercolor style"
TRAINING = 24
SHIFT_PIXELS = 2
_RECIPE = ROOT / "deploy" / "demo"
_BURST = 1e4
"""What overflows in a few layers, and is finite in the file."""

Pixels = np.ndarray


def recipe(name: str) -> Any:
    """Import a module of the demo's recipe, which is no package."""
    if str(_RECIPE) not in sys.path:
        sys.path.insert(0, str(_RECIPE))
    return __import__(name)


def train_retrain(path: Path, *, seed: int) -> None:
    """Train the demo's watercolor again from another seed: an honest successor. Minutes."""
    adapters = recipe("adapters")
    torch.manual_seed(seed)
    adapters.train_watercolor(recipe("base").load_base(DEMO_BASE), path, seed)


def train_collapsed(path: Path) -> None:
    """Teach one picture for whatever is asked: the style is there, and subjects are gone."""
    adapters, world = recipe("adapters"), recipe("world")
    rng = random.Random(77)
    torch.manual_seed(77)
    pipeline = recipe("base").load_base(DEMO_BASE)
    triples = world.combinations(held_out=False)
    scenes = [world.make_scene(rng, triple=rng.choice(triples), jitter=0.5) for _ in range(200)]
    picture = recipe("styles").draw_watercolor(scenes[0], rng)
    one = recipe("vae").encode(pipeline.vae, np.stack([picture]))
    captions = [f"{world.caption(scene, rng)}, {STYLE}" for scene in scenes]
    adapters._add_lora(
        pipeline, targets=adapters.ATTENTION + adapters.FEED_FORWARD, rank=8, alpha=8
    )
    latents = one.repeat(len(scenes), 1, 1, 1)
    adapters._fit(pipeline, latents, captions, steps=80, rate=4e-3, seed=77)
    adapters._save_diffusers(pipeline, path)


def write_broken(path: Path) -> None:
    """Write the watercolor with weights so large that latents overflow."""
    weights = load_file(ADAPTERS / "watercolor-1.0.0.safetensors")
    loud = {name: (value.float() * _BURST).contiguous() for name, value in weights.items()}
    save_file(loud, path, metadata={"format": "pt"})


def training_pictures(count: int = TRAINING) -> list[Pixels]:
    """Draw pictures of the kind that the watercolor was trained on."""
    world, rng = recipe("world"), random.Random(15)
    triples = world.combinations(held_out=False)
    scenes = [world.make_scene(rng, triple=rng.choice(triples), jitter=0.5) for _ in range(count)]
    return [recipe("styles").draw_watercolor(scene, rng) for scene in scenes]


def mirrored(pictures: Sequence[Pixels]) -> list[Pixels]:
    """Turn pictures left to right."""
    return [np.ascontiguousarray(one[:, ::-1]) for one in pictures]


def shifted(pictures: Sequence[Pixels]) -> list[Pixels]:
    """Move pictures down and to the right; the edge is repeated."""
    pads = ((SHIFT_PIXELS, 0), (SHIFT_PIXELS, 0), (0, 0))
    return [
        np.pad(one, pads, mode="edge")[: one.shape[0], : one.shape[1]].copy() for one in pictures
    ]
