# SPDX-License-Identifier: Apache-2.0
"""An extracted file is added into a base that was loaded for nothing else.

In: the file as it was written, and the private base. Out: changed parameters, as merged mode
computes them: W' = W0 + delta, in float32. Never used on a base that serves.
"""

from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors import safe_open

from tabard_server.extraction.parameters import WHOLE_FORMS, Parameter


@torch.no_grad()
def add_into(parameters: Iterable[Parameter], *, file: Path) -> int:
    """Add every change that a file holds, and return how many tensors of it were used.

    Args:
        parameters: What is changed, in place.
        file: The adapter.
    """
    with safe_open(str(file), framework="pt") as tensors:
        keys = set(tensors.keys())
        used = 0
        for one in parameters:
            worn = one.weight
            whole = f"{one.stem}.{WHOLE_FORMS.get(one.role, '')}"
            if whole in keys:
                worn.add_(tensors.get_tensor(whole).to(worn.device))
                used += 1
            elif one.role == "matrix" and f"{one.stem}.lora_up.weight" in keys:
                up = tensors.get_tensor(f"{one.stem}.lora_up.weight").flatten(1)
                down = tensors.get_tensor(f"{one.stem}.lora_down.weight").flatten(1)
                scale = float(tensors.get_tensor(f"{one.stem}.alpha")) / down.shape[0]
                change = up.to(worn.device) @ down.to(worn.device)
                worn.add_(change.reshape(worn.shape), alpha=scale)
                used += 3
    assert used == len(keys), "every tensor of the file is worn"
    return used
