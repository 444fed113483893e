# SPDX-License-Identifier: Apache-2.0
"""Work that a device does beside its steps, on a stream of its own; a CPU has none.

In: a block of work, and the tensors of the steps that it reads. Out: the same work, behind what
was asked of the device before it, and in nobody's way after it. Knows nothing of the work.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


class SideStream:
    """A second stream of one CUDA device. Used from the engine's thread."""

    def __init__(self, device: torch.device) -> None:
        """Take a stream, where the device has them."""
        self._device = device
        self._stream: Any = None
        if device.type == "cuda":
            self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    @contextmanager
    def running(self, *read: torch.Tensor) -> Iterator[None]:
        """Do a block of work beside the steps; on a CPU at once.

        Args:
            read: Tensors of the steps that the block reads: their memory is nobody's before that.
        """
        if self._stream is None:
            yield
            return
        self._stream.wait_stream(torch.cuda.current_stream(self._device))
        for tensor in read:
            tensor.record_stream(self._stream)
        with torch.cuda.stream(self._stream):
            yield
