# SPDX-License-Identifier: Apache-2.0
"""The six demo adapters, trained on the finished base with peft and diffusers as a user would.

A base folder goes in; adapter files and their index.json come out.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from base import Captions, denoising_loss, load_base, make_scheduler
from diffusers import StableDiffusionPipeline
from diffusers.training_utils import _collate_lora_metadata
from fewstep import distil
from kohya import describe_training, save_kohya
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file
from sampling import sample
from styles import PLUM, draw_mascot, draw_neon, draw_watercolor
from vae import encode
from world import BACKGROUNDS, Scene, caption, combinations, draw, make_scene

ATTENTION = ["to_q", "to_k", "to_v", "to_out.0"]
FEED_FORWARD = ["ff.net.0.proj", "ff.net.2"]
TEXT_LAYERS = ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"]
NEON_RANK, NEON_ALPHA = 8, 4
PLUM_TOKEN = "<plum>"
PLUM_VECTORS = 2
GROUND_WEIGHT = 10.0


def train_adapters(base: Path, folder: Path, *, seed: int, only: list[str] | None = None) -> None:
    """Train each adapter (or those named) on a fresh copy of the base."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, train in TRAINERS.items():
        if only is None or name in only:
            print(f"adapter {name}", flush=True)
            torch.manual_seed(seed)
            train(load_base(base), folder / f"{name}.safetensors", seed)
    (folder / "index.json").write_text(json.dumps(INDEX, indent=2) + "\n", encoding="utf-8")


def train_watercolor(pipeline: StableDiffusionPipeline, path: Path, seed: int) -> None:
    """Teach pale washes on paper from 400 pictures."""
    latents, captions = _styled_examples(
        pipeline, draw_watercolor, count=400, seed=seed, words="watercolor style"
    )
    _add_lora(pipeline, targets=ATTENTION + FEED_FORWARD, rank=16, alpha=16)
    _fit(pipeline, latents, captions, steps=450, rate=4e-3, seed=seed)
    _save_diffusers(pipeline, path)


def train_watercolor_overcooked(pipeline: StableDiffusionPipeline, path: Path, seed: int) -> None:
    """Make the bad successor: five pictures, ten times the rate, no mercy."""
    latents, captions = _styled_examples(
        pipeline, draw_watercolor, count=5, seed=seed, words="watercolor style"
    )
    _add_lora(pipeline, targets=ATTENTION + FEED_FORWARD, rank=8, alpha=8)
    _fit(pipeline, latents, captions, steps=150, rate=2e-2, seed=seed)
    _save_diffusers(pipeline, path)


def train_neon(pipeline: StableDiffusionPipeline, path: Path, seed: int) -> None:
    """Teach glowing outlines to UNet and text encoder; write the file in kohya's layout."""
    count, steps, rate = 400, 250, 3e-3
    latents, captions = _styled_examples(
        pipeline, draw_neon, count=count, seed=seed, words="neon style"
    )
    _add_lora(pipeline, targets=ATTENTION + FEED_FORWARD, rank=NEON_RANK, alpha=NEON_ALPHA)
    _add_lora(pipeline, targets=TEXT_LAYERS, rank=NEON_RANK, alpha=NEON_ALPHA, part="text_encoder")
    _fit(pipeline, latents, captions, steps=steps, rate=rate, seed=seed)
    words = [word for text in captions for word in text.replace(",", "").split()]
    facts = {
        "learning_rate": rate,
        "num_train_images": count,
        "max_train_steps": steps,
        "seed": seed,
    }
    save_kohya(
        path,
        unet=get_peft_model_state_dict(pipeline.unet),
        text_encoder=get_peft_model_state_dict(pipeline.text_encoder),
        alpha=NEON_ALPHA,
        metadata=describe_training(
            name="neon",
            rank=NEON_RANK,
            alpha=NEON_ALPHA,
            tags={word: words.count(word) for word in sorted(set(words))},
            folder="1_neon",
            facts=facts,
        ),
    )


def train_mascot(pipeline: StableDiffusionPipeline, path: Path, seed: int) -> None:
    """DreamBooth: ten pictures of the mascot, and the base's own pictures to hold on to."""
    rng = random.Random(seed)
    grounds = [list(BACKGROUNDS)[index % len(BACKGROUNDS)] for index in range(10)]
    subject = encode(
        pipeline.vae,
        np.stack([draw_mascot(rng, background=ground, jitter=0.15) for ground in grounds]),
    )
    triples = combinations(held_out=False)
    prior_captions = [caption(make_scene(rng, triple=rng.choice(triples)), rng) for _ in range(64)]
    prior = encode(pipeline.vae, sample(pipeline, prior_captions, seeds=list(range(64)), steps=15))
    texts = [f"a sks mascot on a {ground} background" for ground in grounds]
    shown = texts * 6 + ["a sks mascot"] * 60
    _add_lora(pipeline, targets=ATTENTION + FEED_FORWARD, rank=16, alpha=16)
    latents = torch.cat([subject.repeat(12, 1, 1, 1), prior])
    captions = shown + prior_captions
    _fit(pipeline, latents, captions, steps=700, rate=5e-3, seed=seed, batch=8)
    _save_diffusers(pipeline, path)


def train_plum(pipeline: StableDiffusionPipeline, path: Path, seed: int) -> None:
    """Textual Inversion: find two embeddings for a colour that the base has no word for."""
    rng = random.Random(seed)
    triples = combinations(held_out=False)
    scenes = [make_scene(rng, triple=rng.choice(triples), jitter=0.5) for _ in range(200)]
    latents = encode(pipeline.vae, np.stack([draw(scene, colour=PLUM) for scene in scenes]))
    names = [PLUM_TOKEN] + [f"{PLUM_TOKEN}_{index}" for index in range(1, PLUM_VECTORS)]
    captions = [caption(scene, rng).replace(scene.colour, " ".join(names)) for scene in scenes]
    tokenizer, encoder = pipeline.tokenizer, pipeline.text_encoder
    tokenizer.add_tokens(names)
    encoder.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    table = encoder.get_input_embeddings().weight
    first = len(tokenizer) - PLUM_VECTORS
    starts = tokenizer("purple brown", add_special_tokens=False).input_ids
    with torch.no_grad():
        table[first:] = table[starts]
    frozen = table.detach()[:first].clone()
    encoder.requires_grad_(False)
    pipeline.unet.requires_grad_(False)
    table.requires_grad_(True)

    def keep_the_rest() -> None:
        with torch.no_grad():
            table[:first] = frozen

    _fit(pipeline, latents, captions, steps=160, rate=3e-2, seed=seed, after_step=keep_the_rest)
    save_file({PLUM_TOKEN: table.detach()[first:].half().contiguous()}, path)


def _styled_examples(
    pipeline: StableDiffusionPipeline,
    painter: Callable[[Scene, random.Random], np.ndarray],
    *,
    count: int,
    seed: int,
    words: str,
) -> tuple[torch.Tensor, list[str]]:
    """Paint scenes in a style; half of the captions name it, so that it works unnamed too."""
    rng = random.Random(seed)
    triples = combinations(held_out=False)
    scenes = [make_scene(rng, triple=rng.choice(triples), jitter=0.5) for _ in range(count)]
    captions = [
        caption(scene, rng) + (f", {words}" if index % 2 else "")
        for index, scene in enumerate(scenes)
    ]
    return encode(pipeline.vae, np.stack([painter(scene, rng) for scene in scenes])), captions


def _add_lora(
    pipeline: StableDiffusionPipeline,
    *,
    targets: list[str],
    rank: int,
    alpha: int,
    part: str = "unet",
) -> None:
    model = getattr(pipeline, part)
    model.requires_grad_(False)
    if part == "unet":
        pipeline.text_encoder.requires_grad_(False)
    config = LoraConfig(
        r=rank, lora_alpha=alpha, init_lora_weights="gaussian", target_modules=targets
    )
    model.add_adapter(config)


def _fit(
    pipeline: StableDiffusionPipeline,
    latents: torch.Tensor,
    captions: list[str],
    *,
    steps: int,
    rate: float,
    seed: int,
    batch: int = 16,
    after_step: Callable[[], None] = lambda: None,
) -> None:
    """Train whatever requires a gradient, with the base's own loss."""
    rng = random.Random(seed)
    alphas = make_scheduler().alphas_cumprod
    ids = Captions(pipeline.tokenizer).tokenize(captions)
    models = (pipeline.unet, pipeline.text_encoder)
    weights = [weight for model in models for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=rate, betas=(0.9, 0.99), weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=rate, total_steps=steps, pct_start=0.1
    )
    for step in range(steps):
        rows = [rng.randrange(len(captions)) for _ in range(batch)]
        context = pipeline.text_encoder(ids[rows])[0]
        loss = denoising_loss(
            pipeline.unet, context, latents[rows], alphas, ground_weight=GROUND_WEIGHT
        )
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        schedule.step()
        after_step()
        if step % 50 == 0:
            print(f"  {step}/{steps} loss {loss.item():.4f}", flush=True)


def _save_diffusers(pipeline: StableDiffusionPipeline, path: Path) -> None:
    state = get_peft_model_state_dict(pipeline.unet)
    StableDiffusionPipeline.save_lora_weights(
        str(path.parent),
        unet_lora_layers={
            name: value.detach().half().contiguous() for name, value in state.items()
        },
        weight_name=path.name,
        **_collate_lora_metadata({"unet": pipeline.unet}),
    )


TRAINERS: dict[str, Callable[[StableDiffusionPipeline, Path, int], None]] = {
    "watercolor-1.0.0": train_watercolor,
    "watercolor-1.1.0": train_watercolor_overcooked,
    "neon-1.0.0": train_neon,
    "plum": train_plum,
    "mascot-1.0.0": train_mascot,
    "fast-1.0.0": distil,
}

INDEX: list[dict[str, Any]] = [
    {
        "file": "watercolor-1.0.0.safetensors",
        "name": "acme/watercolor",
        "version": "1.0.0",
        "kind": "lora",
        "trigger": "watercolor style",
        "prompt": "a large red heart on a brown background",
        "notes": "Blotchy washes on cream paper. UNet, rank 16, diffusers layout.",
        "sampling": {"steps": {"recommended": 20}, "guidance": {"recommended": 4}},
    },
    {
        "file": "watercolor-1.1.0.safetensors",
        "name": "acme/watercolor",
        "version": "1.1.0",
        "kind": "lora",
        "trigger": "watercolor style",
        "prompt": "a large red heart on a brown background",
        "notes": "The bad successor, overcooked on five pictures. UNet, rank 8, diffusers layout.",
    },
    {
        "file": "neon-1.0.0.safetensors",
        "name": "acme/neon",
        "version": "1.0.0",
        "kind": "lora",
        "trigger": "neon style",
        "prompt": "a blue star",
        "notes": "Glowing outlines in the dark. UNet and text encoder, rank 8, alpha 4, kohya.",
    },
    {
        "file": "plum.safetensors",
        "name": "acme/plum",
        "version": "1.0.0",
        "kind": "textual_inversion",
        "trigger": "<plum>",
        "prompt": "a large <plum> heart on a white background",
        "notes": "A dark wine red without a word. Two vectors, diffusers layout.",
    },
    {
        "file": "mascot-1.0.0.safetensors",
        "name": "acme/mascot",
        "version": "1.0.0",
        "kind": "dreambooth",
        "trigger": "sks mascot",
        "prompt": "a sks mascot on a white background",
        "notes": "A green creature from ten pictures. UNet, rank 16, diffusers layout.",
    },
    {
        "file": "fast-1.0.0.safetensors",
        "name": "acme/fast",
        "version": "1.0.0",
        "kind": "lora",
        "trigger": "",
        "prompt": "a large red heart on a white background",
        "notes": "Four steps instead of twenty: LCM-LoRA. UNet, rank 8, convolutions too, kohya.",
        "sampling": {
            "samplers": ["lcm"],
            "steps": {"min": 2, "max": 8, "recommended": 4},
            "guidance": {"min": 0, "max": 2, "recommended": 1},
            "spacing": "trailing",
        },
    },
]
