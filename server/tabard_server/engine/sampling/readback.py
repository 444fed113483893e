# SPDX-License-Identifier: Apache-2.0
"""An image on its way from the device to host memory; the engine's thread does not wait for it.

In: decoded values on the device. Out: pixels, for whoever asks later, in another thread.
"""

import torch

from tabard_server.engine_port.drawing import Pixels
from tabard_server.engine_port.errors import RowNotFinite


class Readback:
    """Pixels that are being copied. Made on the engine's thread, asked from any."""

    def __init__(self, image: torch.Tensor, *, is_finite: torch.Tensor | None = None) -> None:
        """Begin the copy of `[3, h, w]` in [-1, 1], rounded to uint8 as diffusers rounds.

        Args:
            image: On the device.
            is_finite: Whether the latents behind it were, one value on the device; None: not asked.
        """
        unit = (image / 2 + 0.5).clamp(0, 1).permute(1, 2, 0).float()
        self._copied = _to_host((unit * 255).round().to(torch.uint8))
        self._is_finite = None if is_finite is None else _to_host(is_finite)
        self._event: torch.cuda.Event | None = None
        if image.is_cuda:
            self._event = torch.cuda.Event()  # type: ignore[no-untyped-call]
            # Of the stream that the copy is in, whichever that is.
            self._event.record()

    def pixels(self) -> Pixels:
        """Wait for the copy and return uint8 `[height, width, 3]`.

        Raises:
            RowNotFinite: The latents became NaN or infinite.
        """
        if self._event is not None:
            self._event.synchronize()
        if self._is_finite is not None and not bool(self._is_finite):
            raise RowNotFinite(
                "the image became NaN or infinite",
                hint="lower the weights of the adapters, or the guidance scale",
            )
        found: Pixels = self._copied.numpy()
        return found


def _to_host(tensor: torch.Tensor) -> torch.Tensor:
    """Copy to page-locked memory without waiting; on the CPU there is nothing to copy."""
    if not tensor.is_cuda:
        return tensor.contiguous()
    host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    return host.copy_(tensor, non_blocking=True)
