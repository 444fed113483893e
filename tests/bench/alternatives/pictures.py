# SPDX-License-Identifier: Apache-2.0
"""A whole picture by others: diffusers, stable-diffusion.cpp, and Tabard's engine.

One base of SD1.5's own size with random weights, 128 pixels, guidance, one thread, float32 where
one may choose. All take turns; told are processor seconds of a step, which is two samples, and how
far a picture is from that of diffusers wearing the same. `--sd-cpp PATH` says where `sd-cli` is.
"""

import subprocess
import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image

from tabard_registry import BaseProfile
from tabard_server.engine.load_engine import EngineSettings, load_engine
from tabard_server.engine_port.drawing import Pixels
from tabard_server.engine_port.stack import Stack
from tests.bench import full_size
from tests.bench.alternatives.sd15_base import write_base
from tests.bench.alternatives.table import computed
from tests.server.adapters.packing import pack_file
from tests.server.drawings import row_spec
from tests.server.engine.tiny_base import draw_pixels

SIDE = 128
FEW, MANY = 2, 6
"""Steps of the two pictures whose difference is what steps take."""
PROMPT, NEGATIVE = "a", "b"
"""Letters: tokenizers have one id for each, whatever words they know."""
SEED, GUIDANCE, WEIGHT = 1, 5.0, 0.8
DIFFUSERS, TABARD, SD_CPP = "diffusers", "Tabard", "stable-diffusion.cpp"
WORN = "an adapter, rank 16"

Numbers = dict[str, Any]
Draw = Callable[[int], Pixels]
"""From steps to a picture, uint8 `[height, width, 3]`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What is drawn.

    Attributes:
        base: The folder of a pipeline.
        adapter: A trainer's file for it.
        side: Pixels.
    """

    base: Path
    adapter: Path
    side: int = SIDE


def run(*, rounds: int, sd_cpp: Path | None = None) -> Numbers:
    """Make the base, and measure everybody who is here."""
    with tempfile.TemporaryDirectory(prefix="tabard-bench-") as name:
        folder = Path(name)
        write_base(folder / "base")
        scene = Scene(base=folder / "base", adapter=folder / "style.safetensors")
        draws, profile = tabard_draws(scene, folder=folder, write=_write_adapter)
        draws |= diffusers_draws(scene)
        if sd_cpp is not None:
            draws |= sd_cpp_draws(scene, binary=sd_cpp)
        return {"parameters": _size(profile), **measure(draws, rounds=rounds)}


def measure(draws: Mapping[str, Draw], *, rounds: int) -> Numbers:
    """Measure all in turns; the pictures of a first round are what is compared."""
    pictures = {name: draw(FEW) for name, draw in draws.items()}
    seconds: dict[str, list[float]] = {name: [] for name in draws}
    for _ in range(rounds):
        for name, draw in draws.items():
            few, many = (_seconds(draw, steps) for steps in (FEW, MANY))
            seconds[name].append((many - few) / (MANY - FEW))
    differences = {
        name: int(np.abs(picture.astype(int) - pictures[_reference(name)].astype(int)).max())
        for name, picture in pictures.items()
    }
    return {"seconds": seconds, "differences": differences}


def report(measured: Numbers) -> None:
    """Print the table."""
    print(f"\na step of a guided picture, {measured['parameters'] / 1e6:.0f} M parameters")
    print(f"{'':52}{'CPU s':>8}{'of diffusers':>14}   difference")
    seconds = measured["seconds"]
    for name, found in seconds.items():
        ratio = median(own / theirs for own, theirs in zip(found, seconds[DIFFUSERS], strict=True))
        print(
            f"{name:52}{median(found):>8.2f}{ratio:>14.2f}   {measured['differences'][name]} of 255"
        )
    if not any(name.startswith(SD_CPP) for name in seconds):
        print(f"{SD_CPP:52}  not here: build it, and say --sd-cpp PATH of its sd-cli")


def diffusers_draws(scene: Scene) -> dict[str, Draw]:
    """Return diffusers' own: bare, and with the adapter as PEFT wears it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipe: Any = StableDiffusionPipeline.from_pretrained(str(scene.base), local_files_only=True)
        pipe.load_lora_weights(str(scene.adapter), adapter_name="style")
    pipe.set_progress_bar_config(disable=True)

    def draw(steps: int, *, is_worn: bool) -> Pixels:
        pipe.enable_lora() if is_worn else pipe.disable_lora()
        if is_worn:
            pipe.set_adapters(["style"], [WEIGHT])
        image = pipe(
            PROMPT,
            negative_prompt=NEGATIVE,
            num_inference_steps=steps,
            guidance_scale=GUIDANCE,
            width=scene.side,
            height=scene.side,
            generator=torch.Generator("cpu").manual_seed(SEED),
        ).images[0]
        return np.asarray(image)

    return {
        DIFFUSERS: lambda steps: draw(steps, is_worn=False),
        f"{DIFFUSERS}, {WORN}": lambda steps: draw(steps, is_worn=True),
    }


def tabard_draws(
    scene: Scene, *, folder: Path, write: Callable[[Path, BaseProfile], None]
) -> tuple[dict[str, Draw], BaseProfile]:
    """Return the engine's, and what it knows of the base; `write` makes the adapter's file."""
    engine = load_engine(EngineSettings(base=str(scene.base), device="cpu", dtype="float32"))
    write(scene.adapter, engine.profile)
    worn = pack_file(scene.adapter, profile=engine.profile, folder=folder, dtype=engine.dtype)

    def draw(steps: int, stack: Stack) -> Pixels:
        spec = row_spec(
            stack=stack,
            seed=SEED,
            prompt=PROMPT,
            negative_prompt=NEGATIVE,
            steps=steps,
            guidance_scale=GUIDANCE,
            width=scene.side,
            height=scene.side,
            sampler="euler",
        )
        return draw_pixels(engine, spec)

    draws: dict[str, Draw] = {
        TABARD: lambda steps: draw(steps, ()),
        f"{TABARD}, {WORN}": lambda steps: draw(steps, ((worn, WEIGHT),)),
    }
    return draws, engine.profile


def sd_cpp_draws(scene: Scene, *, binary: Path) -> dict[str, Draw]:
    """Return those of a process a picture; the adapter at run time, and added to the weights."""
    style = f"<lora:{scene.adapter.stem}:{WEIGHT}>"

    def draw(steps: int, *options: str, prompt: str = PROMPT) -> Pixels:
        picture = scene.base.parent / "picture.png"
        given = {
            "-m": scene.base,
            "-p": prompt,
            "-n": NEGATIVE,
            "-o": picture,
            "-W": scene.side,
            "-H": scene.side,
            "-s": SEED,
            "-t": 1,
            "--steps": steps,
            "--cfg-scale": GUIDANCE,
            "--rng": "cpu",
            "--sampling-method": "euler",
            "--scheduler": "discrete",
            "--type": "f32",
            "--lora-model-dir": scene.adapter.parent,
        }
        words = [str(word) for pair in given.items() for word in pair]
        subprocess.run([str(binary), *words, *options], check=True, capture_output=True)
        with Image.open(picture) as image:
            return np.asarray(image.convert("RGB"))

    def worn(mode: str) -> Draw:
        return lambda steps: draw(steps, "--lora-apply-mode", mode, prompt=PROMPT + style)

    return {
        SD_CPP: draw,
        f"{SD_CPP}, {WORN}, at run time": worn("at_runtime"),
        f"{SD_CPP}, {WORN}, added to the weights": worn("immediately"),
    }


def _write_adapter(file: Path, profile: BaseProfile) -> None:
    full_size.write_kohya(file, profile=profile, deviation=0.05)


def _size(profile: BaseProfile) -> int:
    """Return the weights of the UNet's layers."""
    shapes = profile.modules[full_size.COMPONENT].values()
    return sum(
        one.inputs * one.outputs * (one.kernel[0] * one.kernel[1] if one.kernel else 1)
        for one in shapes
    )


def _reference(name: str) -> str:
    return f"{DIFFUSERS}, {WORN}" if WORN in name else DIFFUSERS


def _seconds(draw: Draw, steps: int) -> float:
    begun = computed()
    draw(steps)
    return computed() - begun
