# SPDX-License-Identifier: Apache-2.0
"""What OpenVINO is shown is the UNet: its tensors come as arguments."""

from typing import Any

import torch
from diffusers import UNet2DConditionModel

from tabard_server.engine.compiled.openvino_layers import TracedPass, blocks_of
from tests.server.engine.compiled.conftest import RANK_ROWS, TOKENS


def test_arguments_are_what_is_computed_with(unet: Any) -> None:
    """Other tensors, other predictions: the module keeps none of its own."""
    names = ("latents", "timesteps", "text", "index", "weight")
    shown: Any = UNet2DConditionModel.from_config(dict(unet.config)).eval()
    whole = TracedPass(shown, names=names, rank_rows=RANK_ROWS)
    given = (
        torch.randn(2, 4, 8, 8),
        torch.tensor([500.0, 3.0]),
        torch.randn(2, TOKENS, 8),
        torch.zeros(2, 0, dtype=torch.int64),
        torch.zeros(blocks_of(unet), 2, 1, 0),
    )
    own = dict([*unet.named_parameters(), *unet.named_buffers()])

    with torch.no_grad():
        found = whole(*given, *(own[name] for name in whole.tensors))
        (expected,) = unet(*given[:3], return_dict=False)

    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
