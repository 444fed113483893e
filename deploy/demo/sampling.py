# SPDX-License-Identifier: Apache-2.0
"""Pictures out of a pipeline: prompts and seeds go in, uint8 arrays and sheets come out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    LCMScheduler,
    StableDiffusionPipeline,
)
from PIL import Image

BATCH = 16
SAMPLERS = {
    "ddim": DDIMScheduler,
    "euler": EulerDiscreteScheduler,
    "euler_a": EulerAncestralDiscreteScheduler,
    "dpmpp_2m": DPMSolverMultistepScheduler,
    "lcm": LCMScheduler,
}


def sample(
    pipeline: StableDiffusionPipeline,
    prompts: list[str],
    *,
    seeds: list[int],
    steps: int = 20,
    guidance: float = 5.0,
    sampler: str = "dpmpp_2m",
    spacing: str = "leading",
    timesteps: list[int] | None = None,
) -> np.ndarray:
    """Draw one picture for each (prompt, seed) pair: uint8, count x height x width x 3."""
    pipeline.scheduler = SAMPLERS[sampler].from_config(
        pipeline.scheduler.config, timestep_spacing=spacing
    )
    pictures = []
    for start in range(0, len(prompts), BATCH):
        generators = [torch.Generator().manual_seed(seed) for seed in seeds[start : start + BATCH]]
        output = pipeline(
            prompts[start : start + BATCH],
            **({"timesteps": timesteps} if timesteps else {"num_inference_steps": steps}),
            guidance_scale=guidance,
            generator=generators,
            height=64,
            width=64,
            output_type="np",
        )
        pictures.append((output.images * 255).round().astype(np.uint8))
    return np.concatenate(pictures)


def save_sheet(path: Path, pictures: np.ndarray, *, columns: int, zoom: int = 2) -> None:
    """Write pictures as one PNG, row by row."""
    rows = [
        np.concatenate(list(pictures[start : start + columns]), axis=1)
        for start in range(0, len(pictures), columns)
    ]
    sheet = Image.fromarray(np.concatenate(rows, axis=0))
    large = sheet.resize((sheet.width * zoom, sheet.height * zoom), Image.Resampling.NEAREST)
    large.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
