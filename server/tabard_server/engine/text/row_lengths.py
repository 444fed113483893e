# SPDX-License-Identifier: Apache-2.0
"""Texts of several lengths in one batch, each of which does what it does alone.

In: hidden states. Out: one tensor, and for some networks which of its tokens count. Knows nothing
of prompts or rows.
"""

import math
from collections.abc import Sequence

import torch


def repeat_texts(texts: Sequence[torch.Tensor]) -> torch.Tensor:
    """Put hidden states `[samples, length, width]` of several rows into one batch.

    Rows of fewer windows say theirs several times over: attention to the same tokens twice is
    attention to them once, so a row is not changed by a longer neighbour. That holds for a UNet,
    where nothing but the picture looks at the words.
    """
    length = math.lcm(*(text.shape[1] for text in texts))
    return torch.cat([repeated(text, length=length) for text in texts])


def pad_texts(texts: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Put hidden states of several rows into one batch, zeros behind the shorter ones.

    Words that attend to each other cannot be said twice: they would weigh more beside the picture.

    Args:
        texts: Hidden states `[samples, length, width]`.

    Returns:
        The states, and a mask `[samples, length]` that is true where a token is the sample's own;
        None where all are equally long.
    """
    lengths = [text.shape[1] for text in texts]
    if min(lengths) == max(lengths):
        return torch.cat(list(texts)), None
    first = texts[0]
    samples = sum(map(len, texts))
    states = first.new_zeros(samples, max(lengths), first.shape[2])
    mask = torch.zeros(samples, max(lengths), dtype=torch.bool, device=first.device)
    at = 0
    for text, length in zip(texts, lengths, strict=True):
        states[at : at + len(text), :length] = text
        mask[at : at + len(text), :length] = True
        at += len(text)
    return states, mask


def repeated(text: torch.Tensor, *, length: int) -> torch.Tensor:
    """Say a text so often that it is that long."""
    return text.repeat(1, length // text.shape[1], 1)
