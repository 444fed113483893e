# SPDX-License-Identifier: Apache-2.0
"""From host memory to the device without waiting: the one way that a step's values go there.

In: a tensor on the CPU. Out: the same on the device. A copy out of ordinary memory would hold the
engine's thread until the device has come to it; out of page-locked memory it does not. Knows
nothing of what is sent.
"""

from collections.abc import Sequence

import torch


def send(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Return a tensor on the device: itself on a CPU, else a copy that is under way."""
    if lies_apart(device):
        tensor = new_sendable(tensor.shape, dtype=tensor.dtype, device=device).copy_(tensor)
    return tensor.to(device, non_blocking=True)


def new_sendable(shape: Sequence[int], *, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """Return host memory, to be written and then copied to the device without waiting.

    It is torch's, which gives it to nobody else before the device has read it.
    """
    if lies_apart(device):
        return new_locked(shape, dtype=dtype)
    return torch.empty(tuple(shape), dtype=dtype)


def lies_apart(device: torch.device) -> bool:
    """Say whether a device has memory of its own."""
    return device.type == "cuda"


def new_locked(shape: Sequence[int], *, dtype: torch.dtype) -> torch.Tensor:
    """Return page-locked memory."""
    return torch.empty(tuple(shape), dtype=dtype, pin_memory=True)
