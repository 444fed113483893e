# SPDX-License-Identifier: Apache-2.0
"""A library in this process: kernels for one kind of pass, around weights that lie here already.

In: its file, and the tensors of a UNet. Out: predictions. It copies no weight and writes none.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tabard_server.engine.compiled.graph import gather_inputs
from tabard_server.engine.slots.worn_rows import WornRows


class LibraryDamaged(Exception):
    """The file is no library, or wants other tensors than there are."""


class Library:
    """One library, loaded and bound."""

    def __init__(self, path: Path, *, tensors: Mapping[str, torch.Tensor]) -> None:
        """Load it and let it use these tensors, which are kept.

        Raises:
            LibraryDamaged: It cannot be loaded, or was built for other tensors.
        """
        wants = _wants(path)
        for name, wanted in wants.items():
            found = tensors.get(name)
            if found is None or [list(found.shape), list(found.stride()), _dtype(found)] != wanted:
                raise LibraryDamaged(f"it was built for another {name}")
        try:
            runner: Any = torch._C._aoti.AOTIModelContainerRunnerCpu(str(path), 1)
            self._names: Mapping[str, str] = runner.get_constant_names_to_original_fqns()
        except RuntimeError as error:
            raise LibraryDamaged(f"it cannot be loaded: {error}") from error
        unknown = sorted({*self._names.values()} - {*tensors})
        if unknown:
            raise LibraryDamaged(f"it wants {unknown[0]}, which nobody has")
        self._runner = runner
        self.bind(tensors)

    @property
    def is_ready(self) -> bool:
        """It is, once it is loaded."""
        return True

    def bind(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Use other tensors of the same sizes and strides from now on."""
        self._tensors = {name: tensors[full] for name, full in self._names.items()}
        self._runner.update_constant_buffer(self._tensors, False, True, True)

    def run(
        self,
        worn: WornRows | None,
        latents: torch.Tensor,
        timesteps: torch.Tensor,
        text: torch.Tensor,
        added: Mapping[str, torch.Tensor] | None,
    ) -> torch.Tensor:
        """Return the predictions; see `gather_inputs`."""
        inputs = gather_inputs(worn, latents, timesteps, text, added)
        found: torch.Tensor = self._runner.run(inputs)[0]
        return found


def tensors_of(unet: nn.Module) -> dict[str, torch.Tensor]:
    """Return the tensors of a UNet by the names that a library has for them."""
    found = [
        *unet.named_parameters(remove_duplicate=False),
        *unet.named_buffers(remove_duplicate=False),
    ]
    return {f"unet.{name}": tensor for name, tensor in found}


def _wants(path: Path) -> Mapping[str, Any]:
    try:
        wants: Mapping[str, Any] = json.loads(path.with_suffix(".json").read_text())["wants"]
    except (OSError, ValueError, KeyError) as error:
        raise LibraryDamaged(f"what it wants cannot be read: {error}") from error
    return wants


def _dtype(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
