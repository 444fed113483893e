# SPDX-License-Identifier: Apache-2.0
"""Whether a packed layer fits the base's own, in a slot as in the merged copy."""

import torch

from tabard_server.adapters.host_adapter import PackedLayer
from tabard_server.adapters.slab_layout import LayerKey
from tabard_server.engine_port.errors import AdapterMismatch

MISMATCH_HINT = "the release was checked against another base; publish it for this one"


def check_widths(packed: PackedLayer, *, weight: torch.Tensor, key: LayerKey, digest: str) -> None:
    """Refuse a layer whose factors or magnitude have other widths than the base's.

    Args:
        packed: The layer.
        weight: The base's weight `[out, in, *kernel]`; what has one axis fits no layer.
        key: Component and name, for the message.
        digest: Which release it is of.

    Raises:
        AdapterMismatch: They have.
    """
    widths = (packed.down.shape[1], packed.up.shape[1])
    fits = weight.dim() > 1 and widths == (weight[0].numel(), weight.shape[0])
    axis = {"inputs": 1, "outputs": 0}.get(packed.magnitude_axis)
    found = None if packed.magnitude is None else packed.magnitude.numel()
    if not fits or found != (None if axis is None else weight.shape[axis]):
        raise AdapterMismatch(
            f"{digest} has widths {widths} for {key[0]}:{key[1]}, which differ",
            hint=MISMATCH_HINT,
        )


def no_such_layer(digest: str, component: str, name: str) -> AdapterMismatch:
    """Return the refusal of an adapter that changes what the base does not have."""
    return AdapterMismatch(
        f"{digest} changes {component}:{name}, which this base does not have", hint=MISMATCH_HINT
    )
