# SPDX-License-Identifier: Apache-2.0
"""The UNet and text encoder of the demo base, trained together on cached latents.

A trained VAE and a tokenizer go in; a complete Stable Diffusion 1.x pipeline folder comes out.
The UNet sees the flat pictures only: styles and subjects are left for the adapters to teach.
"""

from __future__ import annotations

import copy
import itertools
import json
import math
import random
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from tokenizer import TOKENS_MAX, write_tokenizer
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer
from vae import encode
from workers import average_gradients, rank, worker_count
from world import Scene, caption, combinations, draw, make_scene

BATCH_EARLY, BATCH_LATE = 16, 32
TEXT_RATE_SHARE = 0.3
EMA_DECAY = 0.998
CAPTION_DROP = 0.1
LATE_SHARE = 0.3
WIDTH = 128
JITTER = 0.4
Part = TypeVar("Part", bound=torch.nn.Module)


@dataclass(slots=True)
class Models:
    """The four trainable or frozen parts and the tokenizer of one pipeline."""

    tokenizer: CLIPTokenizer
    text_encoder: CLIPTextModel
    unet: UNet2DConditionModel
    vae: AutoencoderKL


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """Scenes and the latents of their pictures, row by row."""

    scenes: list[Scene]
    latents: torch.Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One stretch of training: how many samples, how fast, and how much the ground counts."""

    samples: int
    rate: float
    ground_weight: float
    small_batch_share: float
    checkpoint_every: int
    seed: int


class Average(torch.nn.Module):
    """An exponential moving average of two models' weights, quick to follow at first."""

    def __init__(self, models: Models) -> None:
        super().__init__()
        self.text_encoder = copy.deepcopy(models.text_encoder).eval().requires_grad_(False)
        self.unet = copy.deepcopy(models.unet).eval().requires_grad_(False)
        self._pairs = [
            (list(mean.parameters()), list(live.parameters()))
            for mean, live in ((self.text_encoder, models.text_encoder), (self.unet, models.unet))
        ]

    @torch.no_grad()
    def follow(self, step: int) -> None:
        """Move towards the live weights."""
        share = 1 - min(EMA_DECAY, (1 + step) / (10 + step))
        for means, lives in self._pairs:
            torch._foreach_lerp_(means, lives, share)


def make_models(vae: AutoencoderKL, tokenizer_folder: Path, *, seed: int) -> Models:
    """Build an untrained UNet and text encoder around a trained VAE."""
    torch.manual_seed(seed)
    tokenizer = write_tokenizer(tokenizer_folder)
    text_config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=4 * WIDTH,
        projection_dim=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=TOKENS_MAX,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    unet = UNet2DConditionModel(
        sample_size=16,
        in_channels=4,
        out_channels=4,
        down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
        block_out_channels=(32, 64, 128, 128),
        layers_per_block=1,
        cross_attention_dim=WIDTH,
        attention_head_dim=4,
        norm_num_groups=8,
        use_linear_projection=False,
    )
    return Models(tokenizer, CLIPTextModel(text_config), unet, vae)


def make_scheduler() -> DDIMScheduler:
    """Return SD1.x's noise schedule; clipping would bleach the latents, so it is off."""
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        prediction_type="epsilon",
    )


def draw_corpus(vae: AutoencoderKL, *, count: int, seed: int) -> Corpus:
    """Draw and encode flat pictures of the training combinations, a part at a time."""
    rng = random.Random(seed)
    triples = combinations(held_out=False)
    scenes = [make_scene(rng, triple=rng.choice(triples), jitter=JITTER) for _ in range(count)]
    parts = [scenes[start : start + 512] for start in range(0, count, 512)]
    latents = [encode(vae, np.stack([draw(scene) for scene in part])) for part in parts]
    return Corpus(scenes=scenes, latents=torch.cat(latents))


def train_base(
    models: Models,
    corpus: Corpus,
    *,
    leg: Leg,
    on_checkpoint: Callable[[int, Models], None],
) -> Models:
    """Train UNet and text encoder jointly; return the averaged models.

    `on_checkpoint(samples seen, averaged models)` is called every so many samples.
    """
    torch.manual_seed(leg.seed + 1000 * rank())
    rng = random.Random(leg.seed + 1000 * rank())
    early = int(leg.samples * leg.small_batch_share)
    seen = 0
    models.unet.to(memory_format=torch.channels_last).train()
    models.text_encoder.train()
    average = Average(models)
    averaged = Models(models.tokenizer, average.text_encoder, average.unet, models.vae)
    parameters = [*models.unet.parameters(), *models.text_encoder.parameters()]
    groups = [
        {"params": list(models.unet.parameters()), "lr": leg.rate},
        {"params": list(models.text_encoder.parameters()), "lr": leg.rate * TEXT_RATE_SHARE},
    ]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.99), weight_decay=1e-3, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: _rate(step, seen / leg.samples)
    )
    alphas = make_scheduler().alphas_cumprod
    words = Captions(models.tokenizer)
    started = time.monotonic()
    for step in itertools.count():
        batch = BATCH_EARLY if seen < early else BATCH_LATE
        rows = [rng.randrange(len(corpus.scenes)) for _ in range(batch // worker_count())]
        ids = words.tokenize([_caption_or_nothing(corpus.scenes[row], rng) for row in rows])
        context = models.text_encoder(ids)[0]
        latents = corpus.latents[rows]
        loss = denoising_loss(
            models.unet, context, latents, alphas, ground_weight=leg.ground_weight
        )
        optimizer.zero_grad()
        loss.backward()
        average_gradients(parameters)
        torch.nn.utils.clip_grad_norm_(parameters, 1.0, foreach=True)
        optimizer.step()
        seen += batch
        schedule.step()
        if rank() == 0:
            average.follow(step)
        if step % 50 == 0 and rank() == 0:
            rate = seen / (time.monotonic() - started)
            print(f"base {seen}/{leg.samples} loss {loss.item():.4f} {rate:.1f}/s", flush=True)
        if seen % leg.checkpoint_every < batch and rank() == 0:
            on_checkpoint(seen, averaged)
        if seen >= leg.samples:
            break
    return averaged


class Captions:
    """Tokenizes padded captions, each distinct one once."""

    def __init__(self, tokenizer: CLIPTokenizer) -> None:
        self._tokenizer = tokenizer
        self._known: dict[str, torch.Tensor] = {}

    def tokenize(self, texts: list[str]) -> torch.Tensor:
        """Return token ids, batch x TOKENS_MAX."""
        return torch.stack([self._one(text) for text in texts])

    def _one(self, text: str) -> torch.Tensor:
        if text not in self._known:
            encoded = self._tokenizer(
                text,
                padding="max_length",
                truncation=True,
                max_length=TOKENS_MAX,
                return_tensors="pt",
            )
            self._known[text] = encoded.input_ids[0]
        return self._known[text]


def denoising_loss(
    unet: UNet2DConditionModel,
    context: torch.Tensor,
    latents: torch.Tensor,
    alphas: torch.Tensor,
    *,
    ground_weight: float,
) -> torch.Tensor:
    """Return the noise-prediction loss, weighted towards what settles shape and ground.

    The weights are clamp(1/SNR, .3, 6). The error of the mean over all positions counts apart: it
    decides the ground, and among 256 positions it would hardly be felt.
    """
    count = len(latents)
    timesteps = torch.randint(0, 1000, (count,))
    late = torch.rand(count) < LATE_SHARE
    timesteps = torch.where(late, torch.randint(600, 1000, (count,)), timesteps)
    alpha = alphas[timesteps][:, None, None, None]
    noise = torch.randn_like(latents)
    noisy = alpha.sqrt() * latents + (1 - alpha).sqrt() * noise
    noisy = noisy.contiguous(memory_format=torch.channels_last)
    predicted = unet(noisy, timesteps, context).sample
    weight = ((1 - alpha) / alpha).clamp(0.3, 6.0)[:, 0, 0, 0]
    error = predicted - noise
    pixel = error.square().mean(dim=(1, 2, 3))
    overall = error.mean(dim=(2, 3)).square().mean(dim=1)
    return (weight * (pixel + ground_weight * overall)).mean()


def save_base(models: Models, folder: Path) -> None:
    """Write the pipeline in fp16 beside `folder`, then put it in its place."""
    fresh, old = folder.with_name(folder.name + ".new"), folder.with_name(folder.name + ".old")
    for leftover in (fresh, old):
        shutil.rmtree(leftover, ignore_errors=True)
    pipeline = make_pipeline(Models(models.tokenizer, *(_halved(part) for part in _parts(models))))
    pipeline.save_pretrained(fresh, safe_serialization=True)
    write_tokenizer(fresh / "tokenizer")
    _forget_origins(fresh)
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _forget_origins(folder: Path) -> None:
    """Take the training run out of the configs, and let everybody read the files."""
    for config in folder.rglob("config.json"):
        values = json.loads(config.read_text(encoding="utf-8"))
        values.pop("_name_or_path", None)
        if "dtype" in values:
            # Transformers, unlike diffusers, would load the halved weights as they lie.
            values["dtype"] = "float32"
        config.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    for file in folder.rglob("*.*"):
        file.chmod(0o644)


def load_base(folder: Path) -> StableDiffusionPipeline:
    """Load the pipeline in fp32 on the CPU."""
    pipeline = StableDiffusionPipeline.from_pretrained(str(folder), dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def make_pipeline(models: Models) -> StableDiffusionPipeline:
    """Assemble a pipeline without a safety checker: it only draws coloured shapes."""
    pipeline = StableDiffusionPipeline(
        vae=models.vae,
        text_encoder=models.text_encoder,
        tokenizer=models.tokenizer,
        unet=models.unet,
        scheduler=make_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _parts(models: Models) -> tuple[CLIPTextModel, UNet2DConditionModel, AutoencoderKL]:
    return models.text_encoder, models.unet, models.vae


def _halved(part: Part) -> Part:
    return copy.deepcopy(part).to(memory_format=torch.contiguous_format).half()  # type: ignore[call-overload]


def _rate(step: int, progress: float) -> float:
    """Warm up for 150 steps, then fall as a cosine to two percent."""
    return min(1.0, (step + 1) / 150) * (0.02 + 0.49 * (1 + math.cos(math.pi * progress)))


def _caption_or_nothing(scene: Scene, rng: random.Random) -> str:
    return "" if rng.random() < CAPTION_DROP else caption(scene, rng)
