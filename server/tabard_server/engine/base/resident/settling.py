# SPDX-License-Identifier: Apache-2.0
"""A base moves to its device: each weight in what it is kept in, and in the order that needs least.

In: a base in float32 on the CPU. Out: the same on the device, but for text encoders that shall lie
in host memory between uses.
"""

import torch
from torch import nn

from tabard_server.engine.base.loading import Base
from tabard_server.engine.base.resident.text_shelf import TextShelf
from tabard_server.engine.networks.precision import (
    Precision,
    component_dtype,
    stored_weights,
)
from tabard_server.engine_port.memory import MemoryPlan


def settle(
    base: Base,
    *,
    plan: MemoryPlan | None,
    device: torch.device,
    precision: Precision,
    shelf: TextShelf,
) -> None:
    """Move everything that adapters may change.

    Args:
        base: Its components are in float32 on the CPU.
        plan: Says whether text encoders lie on the shelf between uses; None: they do not.
        device: Where they shall lie.
        precision: What the base is served in.
        shelf: Takes them, if they do.
    """
    network, is_shelved = base.network, plan is not None and plan.shelved > 0
    # The text encoders come first, one by one: where room is short, they are gone before the rest.
    for component in reversed(base.adaptable):
        model = base.models[component]
        dtype = component_dtype(component, model.config, family=base.family, dtype=precision.dtype)
        _move(component, model, device=device, dtype=dtype, precision=precision)
        if is_shelved and component != network.component:
            shelf.put(component, model)
    if network.is_convolutional:
        # Convolutions and their 1x1 neighbours read pixels without turning them around.
        network.module.to(memory_format=torch.channels_last)


def _move(
    component: str,
    model: nn.Module,
    *,
    device: torch.device,
    dtype: torch.dtype,
    precision: Precision,
) -> None:
    stored = stored_weights(component, model, precision=precision)
    # diffusers' own `to` warns about modules that other models keep in float32.
    if not stored:
        nn.Module.to(model, device=device, dtype=dtype)
        return
    # Rounded before it is moved: the device need never hold the wider one.
    nn.Module.to(model, dtype=dtype)
    for name in stored:
        parameter = model.get_parameter(name)
        parameter.data = parameter.data.to(precision.storage)
    nn.Module.to(model, device=device)
