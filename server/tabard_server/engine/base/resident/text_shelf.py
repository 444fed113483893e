# SPDX-License-Identifier: Apache-2.0
"""Text encoders that lie in host memory, and on the device for as long as they are used.

In: models that lie on a device. Out: blocks in which one of them does again. Their weights are
never written, so that what is on the device is let go and not copied back. Tables of slots stay
there: they are filled at any time. One thread.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import nn


class TextShelf:
    """The text encoders of a base that are not on its device between uses; may be none."""

    def __init__(
        self,
        *,
        put: Callable[[torch.Tensor], torch.Tensor],
        take: Callable[[torch.Tensor], torch.Tensor],
    ) -> None:
        """Begin with none.

        Args:
            put: Returns what lies on the device as host memory.
            take: Returns what lies in host memory as the device's; may still be under way.
        """
        self._put, self._take = put, take
        self._models: dict[str, list[nn.Parameter]] = {}

    @property
    def components(self) -> Mapping[str, int]:
        """Bytes of what lies here, by component."""
        return {
            name: sum(parameter.nbytes for parameter in parameters)
            for name, parameters in self._models.items()
        }

    def put(self, component: str, model: nn.Module) -> None:
        """Take a model's weights from the device until they are used."""
        self._models[component] = list(model.parameters())
        for parameter in self._models[component]:
            parameter.data = self._put(parameter.data)

    @contextmanager
    def taken(self, component: str) -> Iterator[None]:
        """Let the weights of a component lie on the device, for the length of a block."""
        own = [(one, one.data) for one in self._models.get(component, ())]
        try:
            # Whoever calls may be in inference mode, whose tensors a parameter cannot be.
            with torch.inference_mode(mode=False):
                for parameter, host in own:
                    parameter.data = self._take(host)
            yield
        finally:
            for parameter, host in own:
                parameter.data = host


def new_shelf(device: torch.device) -> TextShelf:
    """Return a shelf in memory from which a device copies without the processor waiting."""

    def put(there: torch.Tensor) -> torch.Tensor:
        locked = torch.empty_like(there, device="cpu", pin_memory=device.type == "cuda")
        return locked.copy_(there)

    return TextShelf(put=put, take=lambda host: host.to(device, non_blocking=True))
