# SPDX-License-Identifier: Apache-2.0
"""Teach the text encoder what captions say, before it ever meets a picture.

Captions of training scenes go in; a text encoder comes out whose last positions (the end token
and the padding after it) name shape, colour, ground and size linearly. Stable Diffusion gets the
same from CLIP; without it a small UNet spends most of its training on finding the words.
"""

from __future__ import annotations

import random

import torch
from torch import nn
from torch.nn import functional
from transformers import CLIPTextModel, CLIPTokenizer
from world import BACKGROUNDS, COLOURS, SHAPES, SIZES, caption, combinations, make_scene

BATCH = 64
ATTRIBUTES: tuple[tuple[str, ...], ...] = (SHAPES, tuple(COLOURS), tuple(BACKGROUNDS), tuple(SIZES))


def teach_words(
    encoder: CLIPTextModel, tokenizer: CLIPTokenizer, *, steps: int, seed: int
) -> float:
    """Train the encoder to name what a caption says; return the last share of right names."""
    texts = _write_captions(4_000, seed=seed)
    ids = tokenizer(
        texts, padding="max_length", max_length=tokenizer.model_max_length, return_tensors="pt"
    ).input_ids
    said = torch.tensor([_read(text) for text in texts])
    closed = (ids == tokenizer.eos_token_id).float()
    torch.manual_seed(seed)
    heads = nn.ModuleList(
        nn.Linear(encoder.config.hidden_size, len(names) + 1) for names in ATTRIBUTES
    )
    optimizer = torch.optim.AdamW([*encoder.parameters(), *heads.parameters()], lr=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=2e-3, total_steps=steps)
    right = 0.0
    for step in range(steps):
        rows = torch.randint(0, len(texts), (BATCH,))
        context = encoder(ids[rows])[0]
        loss, right = _name(heads, context, said[rows], closed[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 50 == 0:
            print(f"words {step}/{steps} loss {loss.item():.3f} right {right:.3f}", flush=True)
    return right


def _write_captions(count: int, *, seed: int) -> list[str]:
    rng = random.Random(seed)
    triples = combinations(held_out=False)
    texts = [caption(make_scene(rng, triple=rng.choice(triples)), rng) for _ in range(count)]
    return [text if rng.random() > 0.05 else "" for text in texts]


def _read(text: str) -> list[int]:
    """Return the index of each attribute's word; one past the last if it is not said."""
    words = text.split()
    return [
        next((index for index, name in enumerate(names) if name in words), len(names))
        for names in ATTRIBUTES
    ]


def _name(
    heads: nn.ModuleList, context: torch.Tensor, said: torch.Tensor, closed: torch.Tensor
) -> tuple[torch.Tensor, float]:
    """Loss, and share of right names, over the positions from the end token on."""
    loss, rights = context.new_zeros(()), []
    for index, head in enumerate(heads):
        scores = head(context)
        target = said[:, index, None].expand(scores.shape[:2])
        losses = functional.cross_entropy(scores.transpose(1, 2), target, reduction="none")
        loss = loss + (losses * closed).sum() / closed.sum()
        rights.append(
            (((scores.argmax(-1) == target).float() * closed).sum() / closed.sum()).item()
        )
    return loss, min(rights)
