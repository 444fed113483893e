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
import numpy as np
from diffusers.utils import is_torchsde_available

from tabard_registry.release.sampling import FLOW_PREDICTION
from tabard_server.engine.base.schedules.flow_schedule import DYNAMIC, size_shift
from tabard_server.engine.base.schedules.schedule import is_flow
from tabard_server.engine.sampling.first_latents import RedrawRule
from tabard_server.engine.sampling.schedule_table import Tables
from tabard_server.engine_port.errors import RowNotPossible, SamplerNotServed
from tabard_server.engine_port.samplers import (
    NEAREST_FLOW,
    Sampler,
    samplers_for,
)
from tabard_server.engine_port.walk import ETA, PLAIN_WALK, WARP, Walk

ZERO_SNR = "rescale_betas_zero_snr"
"""Config entry of a base that was trained down to pure noise; not every scheduler heeds it."""
_NOISE_SEED = "noise_sampler_seed"
_NEEDS_TORCHSDE = "DPMSolverSDEScheduler"
_WARPS = ("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas")
_HEEDED = {
    DYNAMIC: "the base shifts its schedule by the size of the picture, and this sampler cannot",
    "shift_terminal": "the base's schedule ends above zero, which this sampler does not heed",
}
"""Config entries that shape the walk of a flow, and what to say of a scheduler without them."""
_SHIFTS_BY_EXPONENT = "DPMSolverMultistepScheduler"
_FLOW_SIGMAS = "use_flow_sigmas"
"""Option of schedulers that make the sigmas of a flow themselves."""


class SamplerPrototypes:
    """One scheduler of each sampler; `take` gives a private copy.

    Building a scheduler from its config can cost a second, copying a built one less than 1 ms; so
    each is built once, for the first row that wants it. One thread takes; any may ask for names.

    Attributes:
        tables: Tables of the walks that were taken.
        looks_at_size: Whether the base's schedule depends on the size of the picture.
        redraw_rule: Where the pipelines of the base's family begin over a picture.
    """

    def __init__(self, config: Mapping[str, Any], *, has_linear_sigmas: bool = False) -> None:
        """Take what a base is walked with.

        Args:
            config: Of the base's scheduler.
            has_linear_sigmas: Whether its pipelines name the sigmas of a flow, from 1 in equal
                steps, as those of Flux do; else they name how many steps there are.
        """
        self.tables = Tables()
        self._config = dict(config)
        self._is_flow, self._has_linear_sigmas = is_flow(config), has_linear_sigmas
        self.looks_at_size = self._is_flow and bool(config.get(DYNAMIC))
        self.redraw_rule = RedrawRule(
            rounds_up=self._is_flow, begins_with_noise=not has_linear_sigmas
        )
        self._samplers = samplers_for(FLOW_PREDICTION if self._is_flow else "")
        found = {
            name: _obstacle(sampler, config, has_linear_sigmas=has_linear_sigmas)
            for name, sampler in self._samplers.items()
        }
        self._obstacles = {name: obstacle for name, obstacle in found.items() if obstacle}
        self._prototypes: dict[str, Any] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Short names of the samplers that this base can be walked with."""
        return tuple(name for name in self._samplers if name not in self._obstacles)

    def check(self, name: str) -> None:
        """Refuse a sampler that this base cannot be walked with.

        Raises:
            SamplerNotServed: It cannot.
        """
        obstacle = self._obstacles.get(name, "")
        if name not in self._samplers:
            obstacle = "it walks a noise schedule, and the base is a flow"
        if obstacle:
            near = NEAREST_FLOW.get(name, "") if self._is_flow else ""
            meant = f"take {near}, the nearest that can; " if near in self.names else ""
            raise SamplerNotServed(
                f"{name} cannot draw on this base: {obstacle}",
                hint=f"{meant}choose one of: {', '.join(self.names)}",
            )

    def take(
        self,
        name: str,
        *,
        num_inference_steps: int,
        seed: int,
        walk: Walk = PLAIN_WALK,
        image_tokens: int | None = None,
    ) -> Any:
        """Return a scheduler of this name, ready for so many steps, owned by the caller.

        Args:
            name: Short name.
            num_inference_steps: Steps.
            seed: Seed of a sampler that draws its noise by itself.
            walk: How its steps lie.
            image_tokens: Latent patches of the picture; asked of whoever `looks_at_size`.

        Raises:
            SamplerNotServed: This base cannot be walked that way.
            RowNotPossible: The sampler cannot take that many steps, or not these.
        """
        self.check(name)
        scheduler = copy.deepcopy(self._prototype(name))
        if hasattr(scheduler, _NOISE_SEED):
            scheduler.noise_sampler_seed = seed
        if changed := self._changes(walk):
            # Only `set_timesteps` looks at these, so that a copy need not be built anew.
            scheduler.register_to_config(**changed)
        steps = self._steps_of(walk, num_inference_steps, sampler=self._samplers[name])
        if self.looks_at_size:
            assert image_tokens is not None, "the schedule looks at the size"
            steps["mu"] = size_shift(self._config, image_tokens=image_tokens)
        try:
            scheduler.set_timesteps(**steps, device="cpu")
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

    def _changes(self, walk: Walk) -> dict[str, Any]:
        """Return what a walk changes of a scheduler's config."""
        changed = walk.config
        if self._is_flow and changed:
            # Another schedule than the base's own; and a flow's steps have no spacing.
            changed.pop("timestep_spacing", None)
            changed = dict.fromkeys(_WARPS, False) | changed
        return changed

    def _steps_of(
        self, walk: Walk, num_inference_steps: int, *, sampler: Sampler
    ) -> dict[str, Any]:
        """Say which steps to take, as diffusers' pipelines say it."""
        if walk.sigmas:
            if self._is_flow:
                # What the walk ends at is put behind them by diffusers itself.
                return {"sigmas": np.array(walk.sigmas[:-1])}
            return {"sigmas": list(walk.sigmas)}
        if walk.timesteps:
            return {"timesteps": list(walk.timesteps)}
        if self._has_linear_sigmas and _FLOW_SIGMAS not in sampler.options:
            return {"sigmas": np.linspace(1.0, 1 / num_inference_steps, num_inference_steps)}
        return {"num_inference_steps": num_inference_steps}

    def _prototype(self, name: str) -> Any:
        if name not in self._prototypes:
            sampler = self._samplers[name]
            options = dict(sampler.options)
            if _FLOW_SIGMAS in options:
                options["flow_shift"] = self._config.get("shift", 1.0)
            built = _class_of(sampler).from_config(dict(self._config), **options)
            self._prototypes[name] = built
        return self._prototypes[name]


def _obstacle(sampler: Sampler, config: Mapping[str, Any], *, has_linear_sigmas: bool) -> str:
    """Say why a base of this config cannot be walked with a sampler; empty: it can."""
    if sampler.is_flow:
        return _flow_obstacle(sampler, config, has_linear_sigmas=has_linear_sigmas)
    if sampler.scheduler == _NEEDS_TORCHSDE and not is_torchsde_available():
        return "it needs the torchsde library, which is not installed"
    # Looking at a scheduler imports it, and some bring half of scipy.
    if config.get(ZERO_SNR) and ZERO_SNR not in _fields_of(_class_of(sampler)):
        return "the base was trained with zero terminal SNR, which this sampler does not heed"
    return ""


def _flow_obstacle(sampler: Sampler, config: Mapping[str, Any], *, has_linear_sigmas: bool) -> str:
    kind = _class_of(sampler)
    for entry, obstacle in _HEEDED.items():
        if config.get(entry) and entry not in _fields_of(kind):
            return obstacle
    if WARP not in sampler.abilities and any(config.get(entry) for entry in _WARPS):
        return "the base's own schedule is bent, which this sampler does not heed"
    is_linear = config.get(DYNAMIC) and config.get("time_shift_type") == "linear"
    if is_linear and sampler.scheduler == _SHIFTS_BY_EXPONENT:
        return "the base shifts its schedule by a factor, which this sampler takes for an exponent"
    takes_sigmas = "sigmas" in inspect.signature(kind.set_timesteps).parameters
    if has_linear_sigmas and not takes_sigmas and _FLOW_SIGMAS not in sampler.options:
        return "the base's steps are a list of sigmas, and this sampler takes none"
    return ""


def _fields_of(kind: Any) -> Collection[str]:
    return inspect.signature(kind.__init__).parameters.keys()


def _class_of(sampler: Sampler) -> Any:
    return getattr(diffusers, sampler.scheduler)
