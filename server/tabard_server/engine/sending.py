# SPDX-License-Identifier: Apache-2.0
"""From host memory to the device without waiting: the one way that a step's values go there.

In: a tensor on the CPU. Out: the same on the device. A copy out of ordinary memory would hold the
engine's thread until the device has come to it; out of page-locked memory it does not. Knows
nothing of what is sent.
"""

import torch


def send(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Return a tensor on the device: itself on a CPU, else a copy that is under way.

    The page-locked memory is torch's, which gives it to nobody before the device has read it.
    """
    if device.type == "cuda":
        tensor = tensor.contiguous().pin_memory()
    return tensor.to(device, non_blocking=True)


def new_sendable(
    shape: tuple[int, ...], *, dtype: torch.dtype, device: torch.device
) -> torch.Tensor:
    """Return host memory, to be written and copied to the device without waiting."""
    return torch.empty(shape, dtype=dtype, pin_memory=device.type == "cuda")
