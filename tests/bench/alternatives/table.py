# SPDX-License-Identifier: Apache-2.0
"""What a user would pick instead: the same weights and inputs run by others, beside Tabard.

A UNet of SD1.5's topology with a quarter of its weights, two samples of 128 pixels, float32, one
thread. All take turns in one process; told are processor time, its ratio to diffusers eager in the
same turn, and how far a prediction is from that of diffusers eager wearing the same.
"""

import os
import tempfile
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch

from tests.bench import full_size
from tests.bench.alternatives.ways import WAYS, Predict, Scene, Way, new_scene, references

SIDE = 16
"""Of the latents: 128 pixels."""
LEFT_OUT = "left out"

Numbers = dict[str, Any]


def run(*, rounds: int, without: Sequence[str] = ()) -> Numbers:
    """Measure every way that is here; a way of `without` is not made ready, and says so."""
    with tempfile.TemporaryDirectory(prefix="tabard-bench-") as name:
        scene = new_scene(Path(name), config=full_size.HALF_SD15, side=SIDE)
        return measure(scene, rounds=rounds, without=without)


def measure(scene: Scene, *, rounds: int, without: Sequence[str] = ()) -> Numbers:
    """Measure the ways in turns, after one round that is not told."""
    told = references(scene)
    found: dict[str, Numbers] = {}
    calls: dict[str, Predict] = {}
    for way in WAYS:
        found[way.name] = {"state": _state(way, without=without), "seconds": []}
        if found[way.name]["state"]:
            continue
        begun = computed()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # tracers warn of every size that they take for fixed
            calls[way.name] = way.prepare(scene)
        # The first call is part of it: what is compiled then, is compiled once.
        prediction = calls[way.name]()
        found[way.name] |= {
            "ready_seconds": computed() - begun,
            "difference": _difference(prediction, told[way.wears]),
        }
    for number in range(-1, rounds):
        for name, call in calls.items():
            begun = time.process_time()
            call()
            if number >= 0:
                found[name]["seconds"].append(time.process_time() - begun)
    return {"ways": found, "parameters": sum(p.numel() for p in scene.unet.parameters())}


def report(measured: Numbers) -> None:
    """Print the table."""
    ways = measured["ways"]
    millions = measured["parameters"] / 1e6
    print(f"\none forward pass of {millions:.0f} M parameters, 2 samples, one thread")
    print(f"{'':38}{'CPU s':>8}{'of eager':>10}{'ready in':>10}   largest difference")
    for name, one in ways.items():
        if one["state"]:
            print(f"{name:38}  {one['state']}")
            continue
        print(
            f"{name:38}{median(one['seconds']):>8.3f}{_ratio(one, ways):>10.2f}"
            f"{one['ready_seconds']:>8.0f} s   {one['difference']:.1e} of the largest value"
        )
    print(f"{'stable-diffusion.cpp':38}  draws whole pictures alone: --part pictures")


def computed() -> float:
    """Return the CPU seconds of this process and of those that it waited for, like a compiler."""
    return sum(os.times()[:4])


def _ratio(one: Mapping[str, Any], ways: Mapping[str, Any]) -> float:
    eager = ways[WAYS[0].name]["seconds"]
    if not eager:
        return float("nan")
    return median(ours / theirs for ours, theirs in zip(one["seconds"], eager, strict=True))


def _state(way: Way, *, without: Sequence[str]) -> str:
    if lacking := way.lacks():
        return f"not installed: pip install {' '.join(lacking)}"
    return LEFT_OUT if way.name in without else ""


def _difference(prediction: torch.Tensor, reference: torch.Tensor) -> float:
    """Return the largest difference, as a share of the largest value."""
    assert prediction.shape == reference.shape
    return float((prediction - reference).abs().max() / reference.abs().max())
