# SPDX-License-Identifier: Apache-2.0
"""A starting point for the autoencoder that already carries colour.

From random weights a net this small, trained this briefly, drops a whole colour axis and never
finds it again. So the first eight channels start as a passage: red, green, blue, their negatives
(SiLU of a pair is linear: silu(x) - silu(-x) = x) and plus and minus one, which hold the scale
through each GroupNorm.
"""

from __future__ import annotations

import torch
from diffusers import AutoencoderKL
from torch import nn

CHANNELS = 8
SIGNS = (1.0, 1.0, 1.0, -1.0, -1.0, -1.0)


@torch.no_grad()
def open_passage(vae: AutoencoderKL) -> None:
    """Rewrite the first channels of an untrained autoencoder into a copy of the picture at 1:4."""
    for module in vae.modules():
        if hasattr(module, "conv_shortcut"):
            _silence(module.conv2)
            if module.conv_shortcut is not None:
                _copy_channels(module.conv_shortcut)
        if hasattr(module, "to_out"):
            module.to_out[0].weight[:CHANNELS] = 0
            module.to_out[0].bias[:CHANNELS] = 0
    for block in [*vae.encoder.down_blocks, *vae.decoder.up_blocks]:
        for sampler in [
            *(getattr(block, "downsamplers", None) or []),
            *(getattr(block, "upsamplers", None) or []),
        ]:
            _copy_channels(sampler.conv)
    for side in (vae.encoder, vae.decoder):
        _spread_colours(side.conv_in)
        _gather_colours(side.conv_out)
    for conv in (vae.quant_conv, vae.post_quant_conv):
        assert conv is not None
        conv.weight[:] = torch.eye(conv.weight.shape[0])[:, :, None, None]
        conv.bias[:] = 0


def _silence(conv: nn.Conv2d) -> None:
    assert conv.bias is not None
    conv.weight[:CHANNELS] = 0
    conv.bias[:CHANNELS] = 0


def _copy_channels(conv: nn.Conv2d) -> None:
    """Hand each passage channel on; a strided 3x3 averages the four pixels that it replaces."""
    _silence(conv)
    size = conv.weight.shape[-1]
    for channel in range(CHANNELS):
        if conv.stride[0] == 2:
            conv.weight[channel, channel, :2, :2] = 0.25
        else:
            conv.weight[channel, channel, size // 2, size // 2] = 1.0


def _spread_colours(conv: nn.Conv2d) -> None:
    _silence(conv)
    assert conv.bias is not None
    for channel, sign in enumerate(SIGNS):
        conv.weight[channel, channel % 3, 1, 1] = sign
    conv.bias[6:CHANNELS] = torch.tensor([1.0, -1.0])


def _gather_colours(conv: nn.Conv2d) -> None:
    assert conv.bias is not None
    conv.weight[:3] *= 0.1
    conv.weight[:3, :CHANNELS] = 0
    conv.bias[:3] = 0
    for channel, sign in enumerate(SIGNS):
        conv.weight[channel % 3, channel, 1, 1] = sign * 0.8
