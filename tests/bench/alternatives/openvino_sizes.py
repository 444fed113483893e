# SPDX-License-Identifier: Apache-2.0
"""What Tabard's graph by OpenVINO costs beside plain OpenVINO: batches, pictures, ranks, stacks.

Plain OpenVINO has fixed sizes, no slots, and its weights as constants. One thread, float32, random
weights; all of one size take turns, and told are processor time and its ratio in each turn.
"""

import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch

from tabard_server.adapters.host_adapter import HostAdapter
from tests.bench import full_size
from tests.bench.alternatives.ways import Scene, by_openvino, new_scene, plain_openvino

SMALL_SDXL: dict[str, Any] = {
    **full_size.SDXL,
    "block_out_channels": (64, 128, 256),
    "cross_attention_dim": 256,
    "attention_head_dim": (2, 4, 8),
    "addition_time_embed_dim": 32,
    "projection_class_embeddings_input_dim": 32 * 6 + full_size.POOLED_WIDTH,
}
"""SDXL's topology at a twentieth of the weights."""
MANY, LARGE_RANK = 8, 64
SIZES = (("half SD1.5", 8, 16), ("half SD1.5", 2, 32), ("small SDXL", 2, 16))
"""A UNet, samples, and the side of the latents."""
CONFIGS = {"half SD1.5": full_size.HALF_SD15, "small SDXL": SMALL_SDXL}

Numbers = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What takes turns."""

    name: str
    config: Mapping[str, Any]
    samples: int
    side: int


def run(*, rounds: int) -> Numbers:
    """Measure all sizes, one after the other."""
    found: Numbers = {}
    for unet, samples, side in SIZES:
        name = f"{unet}, {samples} x {side * 8}²"
        size = Size(name=name, config=CONFIGS[unet], samples=samples, side=side)
        found[name] = measure(size, rounds=rounds)
        _tell(name, found[name])
    return found


def measure(size: Size, *, rounds: int) -> Numbers:
    """Measure plain OpenVINO and Tabard's graph in turns, after one round that is not told."""
    with tempfile.TemporaryDirectory(prefix="tabard-bench-") as folder:
        scene = new_scene(Path(folder), config=size.config, side=size.side, samples=size.samples)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # tracers warn of every size that they take for fixed
            calls = {"plain OpenVINO": plain_openvino(scene)}
            calls |= by_openvino(scene, _wearing(scene))
        found: dict[str, list[float]] = {name: [] for name in calls}
        for number in range(-1, rounds):
            for name, call in calls.items():
                seconds = _timed(call)
                if number >= 0:
                    found[name].append(seconds)
        bare = calls["bare"]() - calls["plain OpenVINO"]()
        return {"seconds": found, "difference": float(bare.abs().max())}


def report(measured: Numbers) -> None:
    """Print the last of it; each size was told as it came."""
    print(f"{len(measured)} sizes")


def _wearing(scene: Scene) -> dict[str, Sequence[Sequence[HostAdapter]]]:
    """Return what each sample wears, by a name for it."""
    samples = range(len(scene.inputs[0]))
    one, large = scene.adapters(count=MANY), scene.adapters(count=MANY, rank=LARGE_RANK)
    return {
        "bare": [],
        "rank 16": [[one[n]] for n in samples],
        "rank 64": [[large[n]] for n in samples],
        "one stack of eight": [one for _ in samples],
    }


def _timed(call: Callable[[], torch.Tensor]) -> float:
    begun = time.process_time()
    call()
    return time.process_time() - begun


def _tell(name: str, measured: Numbers) -> None:
    seconds = measured["seconds"]
    plain = seconds["plain OpenVINO"]
    print(f"\n{name}: CPU s, of plain OpenVINO in the same turn", flush=True)
    for kind, found in seconds.items():
        ratios = [own / theirs for own, theirs in zip(found, plain, strict=True)]
        print(
            f"{kind:24}{median(found):>8.3f}{median(ratios):>8.3f}"
            f"   {min(ratios):.3f} to {max(ratios):.3f}",
            flush=True,
        )
