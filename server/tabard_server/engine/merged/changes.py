# SPDX-License-Identifier: Apache-2.0
"""From the parts of a change to what it adds to a parameter of the base.

In: a change as it was published, and the pristine parameter. Out: the difference that it makes, in
float32 (float64 for a float64 parameter), before any magnitude. The rules are those of the
libraries that write such files, LyCORIS 4.1.3 and PEFT 0.21.2. Knows nothing of stacks or models.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch

from tabard_registry.release import change_methods as methods
from tabard_registry.release.change_methods import MAGNITUDE, MAGNITUDE_AXIS
from tabard_server.adapters.host_adapter import HostChange, wide
from tabard_server.engine.merged.change_parts import ChangeParts
from tabard_server.engine.merged.orthogonal import butterfly, orthogonal
from tabard_server.engine.merged.products import (
    dense,
    glora,
    hadamard,
    kronecker,
    low_rank,
    scaling,
)

_LINEAR: Mapping[str, Callable[[ChangeParts], torch.Tensor]] = MappingProxyType(
    {
        methods.DENSE.name: dense,
        methods.GLORA.name: glora,
        methods.HADAMARD.name: hadamard,
        methods.IA3.name: scaling,
        methods.KRONECKER.name: kronecker,
        methods.LORA.name: low_rank,
    }
)
_ORTHOGONAL = MappingProxyType({methods.BOFT.name: butterfly, methods.OFT.name: orthogonal})


def materialise(
    change: HostChange, weight: torch.Tensor, *, stack_weight: float = 1.0
) -> torch.Tensor:
    """Return what a change adds to a pristine parameter, in memory of its own.

    All methods but rotations are linear: the change times its scale and its weight in the stack.

    Args:
        change: The change; its parts may lie on another device.
        weight: The pristine parameter.
        stack_weight: Weight of the adapter in its stack.

    Raises:
        AdapterMismatch: The change does not fit the parameter, or nobody here can apply it.
    """
    parts = ChangeParts(change, base=weight.detach().to(wide(weight.dtype)))
    total = change.scale * stack_weight
    if change.method in _LINEAR:
        found = _LINEAR[change.method](parts) * total
    elif change.method in _ORTHOGONAL:
        found = _ORTHOGONAL[change.method](parts, weight=total)
    else:
        raise parts.misfit("is of a method that this server does not know")
    parts.refuse_rest()
    return found


def read_magnitude(
    change: HostChange, weight: torch.Tensor
) -> tuple[torch.Tensor, str] | tuple[None, str]:
    """Return a change's magnitude and its axis, or None and nothing.

    Raises:
        AdapterMismatch: It does not fit the parameter, or names no axis of it.
    """
    axis = str(change.options.get(MAGNITUDE_AXIS, ""))
    if MAGNITUDE not in change.parts and not axis:
        return None, ""
    parts = ChangeParts(change, base=weight.detach().to(wide(weight.dtype)))
    if axis not in ("inputs", "outputs"):
        raise parts.misfit("has a magnitude of neither inputs nor outputs")
    return parts.vector(MAGNITUDE, getattr(parts, axis)), axis
