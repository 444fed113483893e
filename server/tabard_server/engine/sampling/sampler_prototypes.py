# SPDX-License-Identifier: Apache-2.0
"""Warm schedulers of every sampler that one base can be walked with.

In: the base's scheduler config. Out: schedulers, one for each row and owned by it. Knows nothing
of rows, latents or adapters.
"""

import copy
import inspect
from collections.abc import Collection, Mapping
from typing import Any

import diffusers
from diffusers.utils import is_torchsde_available

from tabard_server.engine.sampling.schedule_table import Tables
from tabard_server.engine_port.errors import RowNotPossible, SamplerNotServed
from tabard_server.engine_port.samplers import SAMPLERS, Sampler
from tabard_server.engine_port.walk import ETA, PLAIN_WALK, Walk

ZERO_SNR = "rescale_betas_zero_snr"
"""Config entry of a base that was trained down to pure noise; not every scheduler heeds it."""
_NOISE_SEED = "noise_sampler_seed"
_NEEDS_TORCHSDE = "DPMSolverSDEScheduler"


class SamplerPrototypes:
    """One scheduler of each sampler; `take` gives a private copy.

    Building a scheduler from its config can cost a second, copying a built one less than 1 ms; so
    each is built once, for the first row that wants it. One thread takes; any may ask for names.

    Attributes:
        tables: Tables of the walks that were taken.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.tables = Tables()
        self._config = dict(config)
        found = {name: _obstacle(sampler, config) for name, sampler in SAMPLERS.items()}
        self._obstacles = {name: obstacle for name, obstacle in found.items() if obstacle}
        self._prototypes: dict[str, Any] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Short names of the samplers that this base can be walked with."""
        return tuple(name for name in SAMPLERS if name not in self._obstacles)

    def check(self, name: str) -> None:
        """Refuse a sampler that this base cannot be walked with.

        Raises:
            SamplerNotServed: It cannot.
        """
        if name in self._obstacles:
            raise SamplerNotServed(
                f"{name} cannot draw on this base: {self._obstacles[name]}",
                hint=f"choose one of: {', '.join(self.names)}",
            )

    def take(
        self, name: str, *, num_inference_steps: int, seed: int, walk: Walk = PLAIN_WALK
    ) -> Any:
        """Return a scheduler of this name, ready for so many steps, owned by the caller.

        Args:
            name: Short name.
            num_inference_steps: Steps.
            seed: Seed of a sampler that draws its noise by itself.
            walk: How its steps lie.

        Raises:
            SamplerNotServed: This base cannot be walked that way.
            RowNotPossible: The sampler cannot take that many steps, or not these.
        """
        self.check(name)
        scheduler = copy.deepcopy(self._prototype(name))
        if hasattr(scheduler, _NOISE_SEED):
            scheduler.noise_sampler_seed = seed
        if changed := walk.config:
            # Only `set_timesteps` looks at these, so that a copy need not be built anew.
            scheduler.register_to_config(**changed)
        try:
            scheduler.set_timesteps(**_steps_of(walk, num_inference_steps), device="cpu")
        except (ValueError, IndexError) as error:
            raise RowNotPossible(
                f"{name} cannot take {num_inference_steps} steps on this base",
                reason="STEPS_NOT_POSSIBLE",
                hint="use another number of steps, or another sampler",
            ) from error
        return scheduler

    def step_options(
        self, name: str, *, generator: Any, eta: float | None = None
    ) -> dict[str, Any]:
        """Return the keyword arguments this scheduler's `step` wants, as diffusers passes them."""
        keys = inspect.signature(self._prototype(name).step).parameters
        options: dict[str, Any] = {}
        if "eta" in keys:
            options["eta"] = ETA if eta is None else eta
        if "generator" in keys:
            options["generator"] = generator
        return options

    def _prototype(self, name: str) -> Any:
        if name not in self._prototypes:
            sampler = SAMPLERS[name]
            built = _class_of(sampler).from_config(dict(self._config), **sampler.options)
            self._prototypes[name] = built
        return self._prototypes[name]


def _steps_of(walk: Walk, num_inference_steps: int) -> dict[str, Any]:
    """Say which steps to take, as diffusers' pipelines say it."""
    if walk.sigmas:
        return {"sigmas": list(walk.sigmas)}
    if walk.timesteps:
        return {"timesteps": list(walk.timesteps)}
    return {"num_inference_steps": num_inference_steps}


def _obstacle(sampler: Sampler, config: Mapping[str, Any]) -> str:
    """Say why a base of this config cannot be walked with a sampler; empty: it can."""
    if sampler.scheduler == _NEEDS_TORCHSDE and not is_torchsde_available():
        return "it needs the torchsde library, which is not installed"
    # Looking at a scheduler imports it, and some bring half of scipy.
    if config.get(ZERO_SNR) and ZERO_SNR not in _fields_of(_class_of(sampler)):
        return "the base was trained with zero terminal SNR, which this sampler does not heed"
    return ""


def _fields_of(kind: Any) -> Collection[str]:
    return inspect.signature(kind.__init__).parameters.keys()


def _class_of(sampler: Sampler) -> Any:
    return getattr(diffusers, sampler.scheduler)
