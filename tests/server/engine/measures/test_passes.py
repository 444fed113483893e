# SPDX-License-Identifier: Apache-2.0
"""Every pass of every family can be made, at any size, with what its models really take."""

from pathlib import Path

import pytest
import torch

from tabard_server.engine.base.loading import load_base
from tabard_server.engine.measures.passes import decoding, denoising, encoding, text_windows

CPU, FLOAT32 = torch.device("cpu"), torch.float32


@pytest.mark.parametrize("family", ["sd1", "sd2", "sdxl"])
@torch.no_grad()
def test_passes_run(bases: dict[str, Path], family: str) -> None:
    """Denoising, decoding, encoding and the words of one window, in the shapes of that base."""
    base = load_base(str(bases[family]))

    step = denoising(base, side=8, device=CPU, dtype=FLOAT32, samples=3)
    picture = encoding(base, side=8, device=CPU, dtype=FLOAT32)
    image = decoding(base, side=8, device=CPU, dtype=FLOAT32)
    texts = text_windows(base, device=CPU)

    for one in (step, picture, image, *texts):
        one.run()
    assert step.inputs["sample"].shape == (3, 4, 8, 8)
    assert picture.inputs["sample"].shape[-1] == 8 * base.latent_factor
    assert len(texts) == len(base.text_parts)
