# SPDX-License-Identifier: Apache-2.0
"""The weights of a base in memory: what they were when they were loaded, and what they are now.

In: a base. Out: a fingerprint of each component, in the precision in which it is kept. Nothing ever
writes these weights, so that any thread may read them while others step.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from tabard_registry import BaseProfile
from tabard_server.engine.base.loading import Base
from tabard_server.engine.base.profile import fingerprint_of
from tabard_server.engine.networks.precision import Precision, kept_dtypes


class ResidentWeights:
    """What a base is made of.

    Attributes:
        loaded: Component to fingerprint of what was loaded, rounded as it is kept.
    """

    def __init__(self, base: Base, *, profile: BaseProfile, precision: Precision) -> None:
        """Note what is loaded.

        Args:
            base: Still in float32 on the CPU.
            profile: Its profile.
            precision: In which it will be kept; a component may need a wider one.
        """
        self._base = base
        self._device = torch.device("cpu")
        self._kept: dict[str, dict[str, torch.Tensor]] = {}
        self.loaded = {
            component: _rounded(
                model.state_dict(),
                kept=kept_dtypes(component, model, family=base.family, precision=precision),
                exact=profile.fingerprints[component],
            )
            for component, model in base.models.items()
        }

    def note_kept(self, *, device: torch.device) -> None:
        """Note where the weights are kept: they lie on the device, and stay there."""
        self._device = device
        self._kept = {name: self._base.models[name].state_dict() for name in self.loaded}

    def hash(self, *, between: Callable[[], None]) -> dict[str, str]:
        """Hash what is kept; from any one thread.

        Args:
            between: Called after each piece of the work; may wait, or raise to end it.

        Returns:
            Component to fingerprint, as `loaded` has them while nothing has changed.
        """
        with _beside_the_steps(self._device):
            return {
                component: fingerprint_of(tensors, between=between)
                for component, tensors in self._kept.items()
            }


def _rounded(
    tensors: Mapping[str, torch.Tensor], *, kept: Mapping[str, torch.dtype], exact: str
) -> str:
    """Return the fingerprint of weights in their dtypes; the exact one where nothing is rounded.

    Most files are as narrow as what is kept of them, and comparing is quicker than hashing.
    """
    floating = {name: one for name, one in tensors.items() if one.is_floating_point()}
    if all(torch.equal(one.to(kept[name]).float(), one) for name, one in floating.items()):
        return exact
    return fingerprint_of({name: one.to(kept[name]) for name, one in floating.items()})


def _beside_the_steps(device: torch.device) -> AbstractContextManager[object]:
    """Copy from a CUDA device on a stream of its own, so that nothing waits for a step."""
    if device.type != "cuda":
        return nullcontext()
    stream: Any = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    return torch.cuda.stream(stream)
