# SPDX-License-Identifier: Apache-2.0
"""The few-step adapter: the base distilled into itself by LCM-LoRA (Luo et al., 2023).

A pipeline goes in and is its own teacher; a file comes out with which LCM draws in four steps, and
without guidance, what the base draws in twenty with it. What the student makes of a noisy latent
shall be what it makes of the same one a stretch further along the teacher's walk.
"""

from __future__ import annotations

import copy
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from base import Captions, make_scheduler
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from kohya import describe_training, save_kohya
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from vae import encode
from world import caption, combinations, draw, make_scene

RANK = 8
GUIDANCE = 4.0
GRID = 20
SKIP = 100
BATCH = 16
HUBER = 0.001
SIGMA_DATA, TIMESTEP_SCALING = 0.5, 10.0
TARGETS = [
    *("to_q", "to_k", "to_v", "to_out.0", "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2"),
    *("conv1", "conv2", "conv_shortcut", "time_emb_proj"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """Latents of drawn pictures and what the text encoder makes of their captions, row by row."""

    latents: torch.Tensor
    contexts: torch.Tensor
    nothing: torch.Tensor


def distil(
    pipeline: StableDiffusionPipeline,
    path: Path,
    seed: int,
    *,
    steps: int = 1_000,
    rate: float = 2e-3,
    pictures: int = 3_000,
) -> None:
    """Distil the base into few steps, and write the adapter in kohya's layout."""
    lesson = _prepare(pipeline, pictures=pictures, seed=seed)
    teacher = copy.deepcopy(pipeline.unet).requires_grad_(False)
    student = pipeline.unet.requires_grad_(False)
    student.add_adapter(LoraConfig(r=RANK, lora_alpha=RANK, target_modules=TARGETS))
    for unet in (teacher, student):
        unet.to(memory_format=torch.channels_last)
    weights = [weight for weight in student.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=rate, betas=(0.9, 0.99), weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=rate, total_steps=steps, pct_start=0.1
    )
    for step in range(steps):
        loss = _loss(student, teacher, lesson)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        schedule.step()
        if step % 50 == 0:
            print(f"  {step}/{steps} loss {loss.item():.4f}", flush=True)
    _save(student, path, steps=steps, rate=rate, pictures=pictures, seed=seed)


def _prepare(pipeline: StableDiffusionPipeline, *, pictures: int, seed: int) -> Lesson:
    rng = random.Random(seed)
    triples = combinations(held_out=False)
    scenes = [make_scene(rng, triple=rng.choice(triples), jitter=0.5) for _ in range(pictures)]
    ids = Captions(pipeline.tokenizer).tokenize([caption(scene, rng) for scene in scenes] + [""])
    with torch.no_grad():
        contexts = torch.cat([pipeline.text_encoder(part)[0] for part in ids.split(256)])
    return Lesson(
        latents=encode(pipeline.vae, np.stack([draw(scene) for scene in scenes])),
        contexts=contexts[:-1],
        nothing=contexts[-1:],
    )


def _loss(
    student: UNet2DConditionModel, teacher: UNet2DConditionModel, lesson: Lesson
) -> torch.Tensor:
    """Compare what the student makes of a noisy latent and of the teacher's next one."""
    alphas = make_scheduler().alphas_cumprod
    rows = torch.randint(0, len(lesson.latents), (BATCH,))
    latents, context = lesson.latents[rows], lesson.contexts[rows]
    # LCM takes its steps from fifty: 999, 979, …, 19.
    start = torch.randint(1, 1000 // GRID + 1, (BATCH,)) * GRID - 1
    end = (start - SKIP).clamp(min=0)
    alpha = alphas[start][:, None, None, None]
    noisy = alpha.sqrt() * latents + (1 - alpha).sqrt() * torch.randn_like(latents)
    made = _consistent(student, noisy, start, context, alphas)
    with torch.no_grad():
        blank = lesson.nothing.expand_as(context)
        both = teacher(
            torch.cat([noisy, noisy]), torch.cat([start, start]), torch.cat([context, blank])
        ).sample
        told, untold = both.chunk(2)
        noise = untold + GUIDANCE * (told - untold)
        after = alphas[end][:, None, None, None]
        picture = (noisy - (1 - alpha).sqrt() * noise) / alpha.sqrt()
        later = after.sqrt() * picture + (1 - after).sqrt() * noise
        wanted = _consistent(student, later, end, context, alphas)
    error = made - wanted
    overall = error.mean(dim=(2, 3))
    return _huber(error) + _huber(overall)


def _huber(error: torch.Tensor) -> torch.Tensor:
    return ((error.square() + HUBER**2).sqrt() - HUBER).mean()


def _consistent(
    unet: UNet2DConditionModel,
    noisy: torch.Tensor,
    timesteps: torch.Tensor,
    context: torch.Tensor,
    alphas: torch.Tensor,
) -> torch.Tensor:
    """Return the picture that a noisy latent leads to; at no noise it is the latent itself."""
    alpha = alphas[timesteps][:, None, None, None]
    noise = unet(noisy.contiguous(memory_format=torch.channels_last), timesteps, context).sample
    picture = (noisy - (1 - alpha).sqrt() * noise) / alpha.sqrt()
    scaled = (timesteps * TIMESTEP_SCALING)[:, None, None, None]
    kept = SIGMA_DATA**2 / (scaled**2 + SIGMA_DATA**2)
    made = scaled / (scaled**2 + SIGMA_DATA**2).sqrt()
    return kept * noisy + made * picture


def _save(student: UNet2DConditionModel, path: Path, **facts: float) -> None:
    save_kohya(
        path,
        unet=get_peft_model_state_dict(student),
        text_encoder={},
        alpha=RANK,
        metadata=describe_training(
            name="fast",
            rank=RANK,
            alpha=RANK,
            tags={},
            folder="1_fast",
            facts={
                "training_comment": "LCM-LoRA: latent consistency distillation, 4 steps",
                "learning_rate": facts["rate"],
                "num_train_images": facts["pictures"],
                "max_train_steps": facts["steps"],
                "seed": facts["seed"],
            },
        ),
    )
