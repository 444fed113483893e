# SPDX-License-Identifier: Apache-2.0
"""A pass that computes nothing counts what lives in one that does."""

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

from tabard_server.engine.base.loading import load_base
from tabard_server.engine.measures.dry_run import _Peak, run_dry
from tabard_server.engine.measures.passes import Pass, decoding, denoising

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


@pytest.mark.parametrize("family", ["sd1", "sd2", "sdxl"])
@pytest.mark.parametrize("make", [denoising, decoding])
def test_dry_pass_counts_what_a_real_one_keeps(
    bases: dict[str, Path], family: str, make: type
) -> None:
    """The same pass with memory, its living tensors counted: they differ by what kernels note."""
    base = load_base(str(bases[family]))
    dry, real = (
        make(base, side=32, device=torch.device(name), dtype=torch.float32)
        for name in ("meta", "cpu")
    )
    seen = _Peak()

    with torch.no_grad(), seen:
        real.run()

    assert run_dry(dry).peak_bytes <= seen.bytes <= 1.2 * run_dry(dry).peak_bytes
