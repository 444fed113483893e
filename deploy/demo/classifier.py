# SPDX-License-Identifier: Apache-2.0
"""The judge: a small convolutional net that names the shape and the colour in a picture.

It is trained on drawn pictures alone, never on generated ones.
"""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from vae import to_tensor
from world import COLOURS, SHAPES, Scene, combinations, draw, make_scene

BATCH = 64


class Classifier(nn.Module):
    """Two heads, shape and colour, on one convolutional trunk."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 24, 48, 96, 96)
        blocks: list[nn.Module] = []
        for before, after in itertools.pairwise(widths):
            blocks += [
                nn.Conv2d(before, after, 3, stride=2, padding=1),
                nn.GroupNorm(4, after),
                nn.ReLU(),
            ]
        self.trunk = nn.Sequential(*blocks, nn.Flatten())
        self.shape = nn.Linear(widths[-1] * 16, len(SHAPES))
        self.colour = nn.Linear(widths[-1] * 16, len(COLOURS))

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the logits of shape and colour."""
        features = self.trunk(images)
        return self.shape(features), self.colour(features)


def train_classifier(*, seed: int, pictures: int = 8_000, epochs: int = 5) -> Classifier:
    """Train on drawn pictures of every combination, with noise, blur, tint and shift."""
    torch.manual_seed(seed)
    images, scenes = draw_labelled(pictures, seed=seed)
    labels = _labels(scenes)
    judge = Classifier().train()
    steps = epochs * pictures // BATCH
    optimizer = torch.optim.AdamW(judge.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=2e-3, total_steps=steps)
    for step in range(steps):
        rows = torch.randint(0, pictures, (BATCH,))
        shape, colour = judge(_augment(to_tensor(images[rows])))
        loss = functional.cross_entropy(shape, labels[rows, 0])
        loss = loss + functional.cross_entropy(colour, labels[rows, 1])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            print(f"classifier {step}/{steps} loss {loss.item():.3f}", flush=True)
    return judge.eval()


def load_classifier(path: Path) -> Classifier:
    """Load the judge from its state file."""
    judge = Classifier().eval()
    judge.load_state_dict(torch.load(path, weights_only=True))
    return judge


@torch.no_grad()
def judge_pictures(judge: Classifier, images: np.ndarray) -> tuple[list[str], list[str]]:
    """Name the shape and the colour in each uint8 picture."""
    shape, colour = judge(to_tensor(torch.from_numpy(images)))
    names = list(COLOURS)
    return [SHAPES[row] for row in shape.argmax(1)], [names[row] for row in colour.argmax(1)]


def measure_accuracy(judge: Classifier, *, count: int, seed: int) -> tuple[float, float]:
    """Return the share of drawn pictures whose shape, and whose colour, the judge names rightly."""
    images, scenes = draw_labelled(count, seed=seed)
    shapes, colours = judge_pictures(judge, images.numpy())
    right_shape = [scene.shape == name for scene, name in zip(scenes, shapes, strict=True)]
    right_colour = [scene.colour == name for scene, name in zip(scenes, colours, strict=True)]
    return float(np.mean(right_shape)), float(np.mean(right_colour))


def draw_labelled(count: int, *, seed: int) -> tuple[torch.Tensor, list[Scene]]:
    """Draw flat pictures of all combinations, held out or not."""
    rng = random.Random(seed)
    triples = combinations(held_out=False) + combinations(held_out=True)
    scenes = [make_scene(rng, triple=rng.choice(triples)) for _ in range(count)]
    return torch.from_numpy(np.stack([draw(scene) for scene in scenes])), scenes


def _labels(scenes: list[Scene]) -> torch.Tensor:
    names = list(COLOURS)
    return torch.tensor(
        [(SHAPES.index(scene.shape), names.index(scene.colour)) for scene in scenes]
    )


def _augment(images: torch.Tensor) -> torch.Tensor:
    """Blur some, shift brightness, add noise: what a small VAE does to a picture, and worse."""
    if torch.rand(()) < 0.4:
        images = functional.avg_pool2d(images, 3, stride=1, padding=1)
    gain = 1 + 0.08 * torch.randn(len(images), 3, 1, 1)
    offset = 0.05 * torch.randn(len(images), 3, 1, 1)
    noise = 0.08 * torch.rand(()) * torch.randn_like(images)
    return (images * gain + offset + noise).clamp(-1, 1)
