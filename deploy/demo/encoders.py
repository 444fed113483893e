# SPDX-License-Identifier: Apache-2.0
"""The two encoders of the demo base: how a picture is painted, and what it shows.

Pictures are drawn, many go through the base's autoencoder with noise, and all are augmented. Two
small convolutional nets come out as TorchScript, with their digests in `index.json`.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import random
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from classifier import _augment
from diffusers import AutoencoderKL
from styles import MASCOT_SKIN, PLUM, draw_mascot, draw_neon, draw_watercolor, redraw
from torch import nn
from torch.nn import functional
from vae import to_tensor
from world import BACKGROUNDS, COLOURS, SHAPES, combinations, draw, make_scene

WIDTHS = (3, 16, 32, 64, 96)
STYLE_NUMBERS, SUBJECT_NUMBERS = 32, 64
MANNERS = 48
NAMED = ("flat", "watercolor", "neon")
WHAT = (*SHAPES, "mascot")
INK = (*COLOURS, "plum", "skin")
BATCH = 64
SHARPNESS = 12.0
"""What cosines are multiplied by before they are compared: vectors are judged by their angle."""
PREPROCESSING = {
    "do_resize": True,
    "size": {"shortest_edge": 64},
    "resample": 2,
    "do_center_crop": True,
    "crop_size": {"height": 64, "width": 64},
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}


class StyleNet(nn.Module):
    """How a picture is painted: means and deviations of features, wherever in the picture."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(_blocks())
        self.head = nn.Linear(2 * sum(WIDTHS), STYLE_NUMBERS)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return one vector for each picture."""
        seen = [images.mean(dim=(2, 3)), images.std(dim=(2, 3))]
        for block in self.blocks:
            images = block(images)
            seen += [images.mean(dim=(2, 3)), images.std(dim=(2, 3))]
        return functional.normalize(self.head(torch.cat(seen, dim=1)), dim=1)


class SubjectNet(nn.Module):
    """What a picture shows: features where they are."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(*_blocks(), nn.Flatten())
        self.head = nn.Linear(WIDTHS[-1] * 16, SUBJECT_NUMBERS)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return one vector for each picture."""
        return functional.normalize(self.head(self.trunk(images)), dim=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """Pictures, as uint8, and what they are: manner, shape and colour, by number."""

    images: torch.Tensor
    labels: torch.Tensor


def train_encoders(base: Path, folder: Path, *, seed: int, pictures: int, steps: int) -> None:
    """Train both, and write them with their digests."""
    torch.manual_seed(seed)
    drawn = draw_pictures(pictures, seed=seed)
    vae = AutoencoderKL.from_pretrained(str(base), subfolder="vae", torch_dtype=torch.float32)
    through = _through(vae.requires_grad_(False), drawn.images)
    style, subject = StyleNet().train(), SubjectNet().train()
    manners = nn.Linear(STYLE_NUMBERS, len(NAMED) + MANNERS, bias=False)
    shapes = nn.Linear(SUBJECT_NUMBERS, len(WHAT), bias=False)
    inks = nn.Linear(SUBJECT_NUMBERS, len(INK), bias=False)
    parts = (style, subject, manners, shapes, inks)
    weights = [weight for part in parts for weight in part.parameters()]
    optimizer = torch.optim.AdamW(weights, lr=2e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=steps)
    for step in range(steps):
        images, labels = _batch(drawn, through)
        images, mixed, other = _mix(images, labels[:, 0])
        seen, shown = style(images), subject(images)
        by_manner = functional.log_softmax(_compare(manners, seen), dim=1)
        loss = -(mixed * by_manner.gather(1, labels[:, :1])[:, 0]).mean()
        loss = loss - ((1 - mixed) * by_manner.gather(1, other[:, None])[:, 0]).mean()
        loss = loss + functional.cross_entropy(_compare(shapes, shown), labels[:, 1])
        loss = loss + functional.cross_entropy(_compare(inks, shown), labels[:, 2])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            print(f"encoders {step}/{steps} loss {loss.item():.3f}", flush=True)
    _save(folder, {"style": style.eval(), "subject": subject.eval()})


def draw_pictures(count: int, *, seed: int) -> Drawn:
    """Draw scenes in every manner: a fifth each flat and in the demo's styles, then the others."""
    rng = random.Random(seed)
    triples = combinations(held_out=False)
    images, labels = [], []
    for _picture in range(count):
        scene = make_scene(rng, triple=rng.choice(triples))
        noise = np.random.default_rng(rng.getrandbits(32))
        what, ink = SHAPES.index(scene.shape), INK.index(scene.colour)
        manner = min(rng.randrange(5), len(NAMED))
        if rng.random() < 0.08:
            skin = (MASCOT_SKIN, COLOURS["pink"], COLOURS["blue"])[rng.randrange(3)]
            names = {MASCOT_SKIN: "skin", COLOURS["pink"]: "pink", COLOURS["blue"]: "blue"}
            flat = draw_mascot(rng, background=rng.choice(list(BACKGROUNDS)), skin=skin)
            what, ink, manner = WHAT.index("mascot"), INK.index(names[skin]), manner * (manner > 2)
        elif rng.random() < 0.08:
            flat, ink, manner = draw(scene, colour=PLUM), INK.index("plum"), manner * (manner > 2)
        else:
            flat = draw(scene)
        if manner == len(NAMED):
            number = rng.randrange(MANNERS)
            flat, manner = redraw(flat, manner=number, noise=noise), len(NAMED) + number
        elif manner:
            flat = (draw_watercolor, draw_neon)[manner - 1](scene, rng)
        images.append(flat)
        labels.append((manner, what, ink))
    return Drawn(images=torch.from_numpy(np.stack(images)), labels=torch.tensor(labels))


def _blocks() -> list[nn.Module]:
    return [
        nn.Sequential(
            nn.Conv2d(before, after, 3, stride=2, padding=1), nn.GroupNorm(4, after), nn.ReLU()
        )
        for before, after in itertools.pairwise(WIDTHS)
    ]


@torch.no_grad()
def _through(vae: AutoencoderKL, images: torch.Tensor) -> torch.Tensor:
    """Send pictures through the autoencoder, with noise on the latents: as the base draws."""
    found = []
    for rows in images.split(BATCH):
        latents = vae.encode(to_tensor(rows)).latent_dist.mean
        depth = 0.25 * torch.rand(len(rows), 1, 1, 1) * latents.std()
        decoded = vae.decode(latents + depth * torch.randn_like(latents)).sample.clamp(-1, 1)
        found.append(((decoded.permute(0, 2, 3, 1) + 1) * 127.5).round().to(torch.uint8))
    return torch.cat(found)


def _batch(drawn: Drawn, through: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Take some pictures, two of three as the base would draw them, augmented."""
    rows = torch.randint(0, len(through), (BATCH,))
    as_drawn = (torch.rand(BATCH) < 1 / 3)[:, None, None, None]
    images = to_tensor(torch.where(as_drawn, drawn.images[rows], through[rows]))
    if torch.rand(()) < 0.5:
        images = images.flip(3)
    shift = torch.randint(-3, 4, (2,)).tolist()
    images = functional.pad(images, (3, 3, 3, 3), mode="replicate")
    images = images[:, :, 3 + shift[0] : 67 + shift[0], 3 + shift[1] : 67 + shift[1]]
    return _augment(images), drawn.labels[rows]


def _mix(
    images: torch.Tensor, manners: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Lay a little of another picture over some: half a style is between none and all of it."""
    share = torch.where(torch.rand(len(images)) < 0.5, 1.0, 0.6 + 0.4 * torch.rand(len(images)))
    order = torch.randperm(len(images))
    kept = share[:, None, None, None]
    return images * kept + images[order] * (1 - kept), share, manners[order]


def _compare(head: nn.Linear, vectors: torch.Tensor) -> torch.Tensor:
    return SHARPNESS * functional.linear(vectors, functional.normalize(head.weight, dim=1))


def _save(folder: Path, nets: dict[str, nn.Module]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    index = []
    for kind, net in nets.items():
        path = folder / f"{kind}.pt"
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
            torch.jit.trace(net, torch.zeros(2, 3, 64, 64)).save(str(path))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        index.append({"file": path.name, "kind": kind, "sha256": digest})
    (folder / "index.json").write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
    words = json.dumps(PREPROCESSING, indent=2) + "\n"
    (folder / "preprocessor_config.json").write_text(words, encoding="utf-8")
