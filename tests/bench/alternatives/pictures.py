# SPDX-License-Identifier: Apache-2.0
"""stable-diffusion.cpp at SD1.5's size: it knows that topology alone, and draws pictures alone.

A base of random weights as one file of the original layout is drawn with by both, at 128 pixels
with guidance and one thread, in turns; a step is what pictures of more steps take longer. Both
begin with noise of their own, so there is no difference to tell.
"""

import importlib.util
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch
from diffusers import StableDiffusionPipeline

from tests.bases import load_pipeline
from tests.gpu.measure.base import make_base
from tests.gpu.measure.sizes import FULL, Sizes
from tests.single_file import write_single_file

NAME = "stable-diffusion.cpp"
PACKAGE = "stable_diffusion_cpp"
PIXELS = 128
FEW, MANY = 1, 3
_PROMPT, _GUIDANCE = "a red circle", 7.5

Numbers = dict[str, Any]


def run(*, rounds: int, without: Sequence[str] = (), sizes: Sizes = FULL) -> Numbers:
    """Measure both, if the other is here."""
    if importlib.util.find_spec(PACKAGE) is None:
        return {"state": "not installed: pip install stable-diffusion-cpp-python, with cmake"}
    if NAME in without:
        return {"state": "left out"}
    with tempfile.TemporaryDirectory(prefix="tabard-bench-") as name:
        base = make_base(Path(name), sizes=sizes)
        file = write_single_file(base, Path(name, "base.safetensors"))
        sides = {NAME: _others(file), "diffusers": _ours(base)}
        seconds: dict[str, list[float]] = {side: [] for side in sides}
        for number in range(-1, rounds):
            for side, draw in sides.items():
                step = (_seconds(draw, MANY) - _seconds(draw, FEW)) / (MANY - FEW)
                if number >= 0:
                    seconds[side].append(step)
    return {"state": "", "seconds": seconds}


def report(measured: Numbers) -> None:
    """Print what a step takes on both sides."""
    print(f"\na guided step of SD1.5's size, {PIXELS} pixels, one thread, beside {NAME}")
    if measured["state"]:
        print(f"{NAME:38}  {measured['state']}")
        return
    theirs, ours = measured["seconds"][NAME], measured["seconds"]["diffusers"]
    print(f"{'diffusers, eager':38}{median(ours):>8.3f} CPU s")
    ratio = median(one / of for one, of in zip(theirs, ours, strict=True))
    print(f"{NAME:38}{median(theirs):>8.3f} CPU s, {ratio:.2f} of eager")


def _others(file: Path) -> Callable[[int], object]:
    from stable_diffusion_cpp import StableDiffusion  # noqa: PLC0415 - optional

    model = StableDiffusion(model_path=str(file), n_threads=1, wtype="f32", verbose=False)
    return lambda steps: model.generate_image(
        prompt=_PROMPT,
        width=PIXELS,
        height=PIXELS,
        sample_steps=steps,
        sample_method="euler",
        cfg_scale=_GUIDANCE,
        seed=1,
    )


def _ours(base: Path) -> Callable[[int], object]:
    pipe: StableDiffusionPipeline = load_pipeline(base, torch_dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    return lambda steps: pipe(
        _PROMPT,
        num_inference_steps=steps,
        guidance_scale=_GUIDANCE,
        width=PIXELS,
        height=PIXELS,
        generator=torch.Generator().manual_seed(1),
    )


def _seconds(draw: Callable[[int], object], steps: int) -> float:
    begun = time.process_time()
    draw(steps)
    return time.process_time() - begun
