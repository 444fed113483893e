# SPDX-License-Identifier: Apache-2.0
"""The autoencoder of the demo base: 64x64 pixels to 16x16x4 latents and back.

Pictures go in, a trained `AutoencoderKL` whose latents have unit variance at 0.18215 comes out.
It sees the styles and the mascot as well: what it cannot decode no adapter could draw.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable

import numpy as np
import torch
from diffusers import AutoencoderKL
from passage import open_passage
from styles import PLUM, draw_mascot, draw_neon, draw_watercolor
from workers import average_gradients, rank, worker_count
from world import BACKGROUNDS, combinations, draw, make_scene

SCALING = 0.18215
BATCH = 8
LEARNING_RATE = 1.5e-3
DECODER_RATE = 1e-3
LATENT_WEIGHT = 1e-4
LATENT_NOISE = 0.05
UNET_NOISE = 0.4
EDGE_WEIGHT = 1.0


def train_vae(*, samples: int, seed: int, pictures: int = 6_000) -> AutoencoderKL:
    """Train on a mixture of every look, then fold the latent statistics in."""
    torch.manual_seed(seed)
    pool = torch.from_numpy(draw_mixture(pictures, seed=seed))
    vae = make_vae().to(memory_format=torch.channels_last).train()
    torch.manual_seed(seed + 1000 * rank())

    def loss() -> torch.Tensor:
        images = to_tensor(pool[torch.randint(0, pictures, (BATCH // worker_count(),))])
        return _loss(vae, images)

    _descend(list(vae.parameters()), loss, steps=samples // BATCH, rate=LEARNING_RATE)
    vae = vae.eval().to(memory_format=torch.contiguous_format)
    _fold_statistics(vae, to_tensor(pool[: pictures // 8]))
    return vae


def sharpen_decoder(
    vae: AutoencoderKL, *, samples: int, seed: int, pictures: int = 6_000
) -> AutoencoderKL:
    """Train the decoder on over latents that stay as they are: cleaner edges, flat grounds.

    The latents get noise of many strengths, for those that a UNet makes are never quite right.
    """
    images = draw_mixture(pictures, seed=seed)
    pool, latents = torch.from_numpy(images), encode(vae, images)
    torch.manual_seed(seed + 1000 * rank())
    vae.requires_grad_(False)
    inward = vae.post_quant_conv
    assert inward is not None
    parameters = [*vae.decoder.parameters(), *inward.parameters()]
    for parameter in parameters:
        parameter.requires_grad_(True)
    vae.to(memory_format=torch.channels_last).train()

    def loss() -> torch.Tensor:
        rows = torch.randint(0, pictures, (BATCH // worker_count(),))
        strength = UNET_NOISE * torch.rand(len(rows), 1, 1, 1).square()
        noisy = latents[rows] + strength * torch.randn_like(latents[rows])
        output = vae.decode(noisy.contiguous(memory_format=torch.channels_last) / SCALING).sample
        difference = output - to_tensor(pool[rows])
        return difference.abs().mean() + EDGE_WEIGHT * _edges(difference)

    _descend(parameters, loss, steps=samples // BATCH, rate=DECODER_RATE)
    return vae.eval().to(memory_format=torch.contiguous_format)


def make_vae() -> AutoencoderKL:
    """Build the autoencoder at its starting point."""
    # Few, wide norm groups: with two channels a group one colour axis gets lost.
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(16, 32, 64),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=2,
        sample_size=64,
        scaling_factor=SCALING,
    )
    open_passage(vae)
    return vae


def draw_mixture(count: int, *, seed: int) -> np.ndarray:
    """Draw pictures of every look: flat, odd colours, watercolor, neon, mascot."""
    rng = random.Random(seed)
    triples = combinations(held_out=False)
    return np.stack([_draw_any(rng, triples) for _ in range(count)])


def to_tensor(images: torch.Tensor) -> torch.Tensor:
    """Turn uint8 NHWC pictures into float NCHW in [-1, 1], channels last in memory."""
    return (
        (images.float() / 127.5 - 1)
        .permute(0, 3, 1, 2)
        .contiguous(memory_format=torch.channels_last)
    )


@torch.no_grad()
def encode(vae: AutoencoderKL, images: np.ndarray) -> torch.Tensor:
    """Encode uint8 pictures to scaled latents (the posterior's mean)."""
    parts = [to_tensor(part) for part in torch.from_numpy(images).split(64)]
    return torch.cat([vae.encode(part).latent_dist.mean * SCALING for part in parts]).contiguous()


@torch.no_grad()
def measure_psnr(vae: AutoencoderKL, images: np.ndarray) -> float:
    """Return the mean reconstruction PSNR in dB over uint8 pictures."""
    values = []
    for part in torch.from_numpy(images).split(64):
        target = to_tensor(part)
        output = vae.decode(vae.encode(target).latent_dist.mean).sample.clamp(-1, 1)
        error = ((output - target) / 2).square().mean(dim=(1, 2, 3))
        values += (-10 * torch.log10(error)).tolist()
    return float(np.mean(values))


def _draw_any(rng: random.Random, triples: list[tuple[str, str, str]]) -> np.ndarray:
    scene = make_scene(rng, triple=rng.choice(triples))
    roll = rng.random()
    if roll < 0.5:
        return draw(scene)
    if roll < 0.58:
        return draw(scene, colour=PLUM)
    if roll < 0.68:
        return draw(scene, colour=(rng.randrange(256), rng.randrange(256), rng.randrange(256)))
    if roll < 0.79:
        return draw_watercolor(scene, rng)
    if roll < 0.90:
        return draw_neon(scene, rng)
    return draw_mascot(rng, background=rng.choice(list(BACKGROUNDS)))


def _descend(
    parameters: list[torch.nn.Parameter],
    compute_loss: Callable[[], torch.Tensor],
    *,
    steps: int,
    rate: float,
) -> None:
    """Follow the loss down: a short warm-up, then a cosine to two percent of the rate."""
    optimizer = torch.optim.AdamW(
        parameters, lr=rate, betas=(0.9, 0.99), weight_decay=1e-4, fused=True
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: (
            min(1.0, (step + 1) / 50) * (0.02 + 0.49 * (1 + math.cos(math.pi * step / steps)))
        ),
    )
    started = time.monotonic()
    for step in range(steps):
        loss = compute_loss()
        optimizer.zero_grad()
        loss.backward()
        average_gradients(parameters)
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        if step % 50 == 0 and rank() == 0:
            speed = (step + 1) * BATCH / (time.monotonic() - started)
            print(f"vae {step}/{steps} loss {loss.item():.4f} {speed:.0f}/s", flush=True)


def _edges(difference: torch.Tensor) -> torch.Tensor:
    """Mean absolute error of the steps from pixel to pixel: what the eye calls sharp."""
    return difference.diff(dim=2).abs().mean() + difference.diff(dim=3).abs().mean()


def _loss(vae: AutoencoderKL, images: torch.Tensor) -> torch.Tensor:
    """Squared error, with chroma counted apart: an absolute error alone settles for gray."""
    means = vae.encode(images).latent_dist.mean
    noise = LATENT_NOISE * torch.randn_like(means)
    difference = vae.decode(means + noise).sample - images
    red, green, blue = difference.unbind(dim=1)
    chroma = (red - green).square().mean() + (blue - (red + green) / 2).square().mean()
    pixel = 4 * difference.square().mean() + 0.3 * difference.abs().mean()
    return pixel + 3 * chroma + LATENT_WEIGHT * means.square().mean()


@torch.no_grad()
def _fold_statistics(vae: AutoencoderKL, images: torch.Tensor) -> None:
    """Rescale the two 1x1 convolutions so that `latent * 0.18215` has mean 0 and variance 1."""
    means = torch.cat([vae.encode(part).latent_dist.mean for part in images.split(64)])
    centre = means.mean(dim=(0, 2, 3))
    scale = means.std(dim=(0, 2, 3)) * SCALING
    inward, outward = vae.quant_conv, vae.post_quant_conv
    assert inward is not None and outward is not None
    outward.bias += (outward.weight[:, :, 0, 0] @ centre).to(outward.bias.dtype)
    outward.weight *= scale[None, :, None, None]
    inward.weight[:4] /= scale[:, None, None, None]
    inward.bias[:4] = (inward.bias[:4] - centre) / scale
    # The posterior's width is a constant: the noise that the decoder was trained with.
    inward.weight[4:] = 0
    inward.bias[4:] = 2 * (LATENT_NOISE / scale).log()
