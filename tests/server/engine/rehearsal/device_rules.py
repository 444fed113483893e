# SPDX-License-Identifier: Apache-2.0
"""What a device asks of a step, told by tensors without memory: the meta device stands for it.

In: calls of torch's operators. Out: a refusal of whatever would hold the engine's thread until the
device has come that far: a value that is read back, a copy out of ordinary memory, a shape that
depends on values; and of tensors of both sides in one call, which asks for such a copy.
"""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tabard_server.engine import sending

DEVICE = torch.device("meta")
_WAITS = (torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape)
_COPIES = (torch.ops.aten.copy_.default, torch.ops.aten._to_copy.default)


class Waits(AssertionError):
    """A call that a step must not make."""


class DeviceRules(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Refuses what waits for the device.

    Attributes:
        calls: Operators that were called on the device.
        sent: Copies to it.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        """Let host memory that is meant to be sent be taken from here, and remember it."""
        super().__init__()  # type: ignore[no-untyped-call]
        self._locked: set[int] = set()
        self._kept: list[torch.Tensor] = []
        self.calls = self.sent = 0
        patch.setattr(sending, "lies_apart", lambda device: device.type == DEVICE.type)
        patch.setattr(sending, "new_locked", self._new_locked)

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        named = kwargs or {}
        with self:
            # In inference mode calls arrive whole that consist of others, `Tensor.to` among them.
            parts = function.decompose(*args, **named)
        if parts is not NotImplemented:
            return parts
        tensors = [one for one in tree_leaves((args, named)) if isinstance(one, torch.Tensor)]
        there = [one for one in tensors if one.device == DEVICE]
        if function in _COPIES:
            self._check_copy(function, args, named)
        elif there and len(there) < len(tensors):
            raise Waits(f"{function} is given tensors of the device and of the host")
        elif there and any(tag in function.tags for tag in _WAITS):
            raise Waits(f"{function} reads what the device has made")
        elif there and function is torch.ops.aten.lift_fresh.default:
            raise Waits("a tensor is made on the device of numbers of the host")
        self.calls += bool(there)
        return function(*args, **named)

    def _check_copy(self, function: Any, args: Any, named: Any) -> None:
        if function is torch.ops.aten.copy_.default:
            target, source = args[0].device, args[1]
            is_patient = bool(args[2]) if len(args) > 2 else bool(named.get("non_blocking"))
        else:
            source, is_patient = args[0], bool(named.get("non_blocking"))
            target = named.get("device") or source.device
        if source.device == target:
            return
        if source.device == DEVICE:
            raise Waits(f"{function} copies from the device")
        if not is_patient or source.untyped_storage().data_ptr() not in self._locked:
            raise Waits(f"{function} copies out of memory that is not page-locked, or waits")
        self.sent += 1

    def _new_locked(self, shape: Sequence[int], *, dtype: torch.dtype) -> torch.Tensor:
        found = torch.empty(tuple(shape), dtype=dtype)
        # Kept, so that no address comes to mean other memory.
        self._kept.append(found)
        self._locked.add(found.untyped_storage().data_ptr())
        return found
