# SPDX-License-Identifier: Apache-2.0
"""What a GPU would launch, counted on `meta` tensors: every operation that is not a view.

What stays on the host launches nothing; what carries it over does, once.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_MAKES_MEMORY = {"empty", "empty_strided", "empty_like", "new_empty"}


@contextmanager
def counting() -> Iterator[list[str]]:
    """Note the names of all launches until the end of the block."""
    launched: list[str] = []
    with _Counting(launched):
        yield launched


class _Counting(TorchDispatchMode):
    def __init__(self, launched: list[str]) -> None:
        super().__init__()
        self._launched = launched

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        with self:
            # In inference mode calls arrive whole that consist of others, `Tensor.to` among them.
            parts = function.decompose(*args, **(kwargs or {}))
        if parts is not NotImplemented:
            return parts
        found = function(*args, **(kwargs or {}))
        name = function.overloadpacket.__name__
        is_launch = not (function.is_view or name in _MAKES_MEMORY)
        if is_launch and any(map(_is_meta, tree_leaves((args, kwargs, found)))):
            self._launched.append(name)
        return found


def _is_meta(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.is_meta
