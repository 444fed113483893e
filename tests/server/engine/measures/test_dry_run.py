# SPDX-License-Identifier: Apache-2.0
"""A pass that computes nothing counts what lives in one that does."""

import torch
from torch import nn
from torch.nn import functional

from tabard_server.engine.measures.dry_run import run_dry
from tabard_server.engine.measures.passes import Pass

KIBI = 1024


class Doubling(nn.Module):
    """Three tensors of the input's size, of which two live at once."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(KIBI, KIBI))

    def forward(self, sample: torch.Tensor) -> torch.Tensor:
        doubled = sample * 2
        doubled = doubled * 2
        return doubled.view(-1) * 2


class Attending(nn.Module):
    """Attention of a tensor to itself, then to another."""

    def forward(self, sample: torch.Tensor, words: torch.Tensor) -> torch.Tensor:
        found = functional.scaled_dot_product_attention(sample, sample, sample)
        return functional.scaled_dot_product_attention(found, key=words, value=words)


def test_peak_is_what_lives_at_once() -> None:
    """Neither the sum of all, nor weights and inputs."""
    sample = torch.empty(KIBI, device="meta")

    found = run_dry(Pass(model=Doubling(), inputs={"sample": sample}))

    assert found.peak_bytes == 2 * 4 * KIBI
    assert found.attentions == ()


def test_attention_keeps_no_matrix_of_pairs() -> None:
    """Its output is all that it leaves; its work is told, and which of it is within a picture."""
    sample = torch.empty(2, 8, 4096, 40, device="meta")
    words = torch.empty(2, 8, 77, 40, device="meta")

    found = run_dry(Pass(model=Attending(), inputs={"sample": sample, "words": words}))

    assert found.peak_bytes == 2 * 4 * sample.numel()
    within, across = found.attentions
    assert (within.heads, within.queries, within.keys, within.width) == (16, 4096, 4096, 40)
    assert across.keys == 77
    assert found.self_attentions == (within,)
    assert within.products == 16 * 4096**2 * 40
