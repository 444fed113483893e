# SPDX-License-Identifier: Apache-2.0
"""Flow bases as people have them, and how a user of diffusers walks each sampler there.

In: a base's configuration and a sampler. Out: diffusers' own scheduler, ready for its steps.
"""

from typing import Any

import diffusers
import numpy as np
from diffusers.pipelines.flux.pipeline_flux import calculate_shift, retrieve_timesteps

SD35: dict[str, Any] = {
    "_class_name": "FlowMatchEulerDiscreteScheduler",
    "num_train_timesteps": 1000,
    "shift": 3.0,
}
FLUX_DEV: dict[str, Any] = {
    "_class_name": "FlowMatchEulerDiscreteScheduler",
    "num_train_timesteps": 1000,
    "shift": 3.0,
    "use_dynamic_shifting": True,
    "base_shift": 0.5,
    "max_shift": 1.15,
    "base_image_seq_len": 256,
    "max_image_seq_len": 4096,
}
FLUX_SCHNELL: dict[str, Any] = {**SD35, "shift": 1.0}
STOCHASTIC: dict[str, Any] = {**SD35, "stochastic_sampling": True}
_FLOW = {"use_flow_sigmas": True, "prediction_type": "flow_prediction"}
THEIRS: dict[str, tuple[str, dict[str, Any]]] = {
    "euler": ("FlowMatchEulerDiscreteScheduler", {}),
    "euler_karras": ("FlowMatchEulerDiscreteScheduler", {"use_karras_sigmas": True}),
    "heun": ("FlowMatchHeunDiscreteScheduler", {}),
    "dpmpp_2m": ("DPMSolverMultistepScheduler", _FLOW),
    "dpmpp_2m_sde": (
        "DPMSolverMultistepScheduler",
        {**_FLOW, "algorithm_type": "sde-dpmsolver++"},
    ),
    "unipc": ("UniPCMultistepScheduler", _FLOW),
    "lcm": ("FlowMatchLCMScheduler", {}),
}
SIZED = ("euler", "euler_karras", "dpmpp_2m", "dpmpp_2m_sde", "unipc", "lcm")
"""Samplers that follow the size of the picture."""


def their_scheduler(config: dict[str, Any], name: str, **options: Any) -> Any:
    """Build one as people do from a pipeline's own, with the shift under the name it has there."""
    kind, own = THEIRS[name]
    if "use_flow_sigmas" in own:
        own = {**own, "flow_shift": config["shift"]}
    return getattr(diffusers, kind).from_config(config, **own, **options)


def their_steps(
    scheduler: Any, *, steps: int, tokens: int | None = None, has_linear_sigmas: bool = False
) -> Any:
    """Set the timesteps as `FluxPipeline` or `StableDiffusion3Pipeline` does; return them."""
    config = scheduler.config
    told: dict[str, Any] = {}
    if config.get("use_dynamic_shifting"):
        assert tokens is not None
        told["mu"] = calculate_shift(tokens, 256, 4096, 0.5, 1.15)
    if has_linear_sigmas and not config.get("use_flow_sigmas"):
        told["sigmas"] = np.linspace(1.0, 1 / steps, steps)
    return retrieve_timesteps(scheduler, steps, "cpu", **told)[0]
