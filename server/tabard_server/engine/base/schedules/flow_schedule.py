# SPDX-License-Identifier: Apache-2.0
"""The schedule of a flow base: how its sigmas fall from nothing but noise to a picture.

In: a `scheduler_config.json` of such a base. Out: its scheduler, once every number in it was seen
to make a schedule; and how far that is shifted for a picture. Knows nothing of files or samplers.
"""

import inspect
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import diffusers

from tabard_server.engine.base.config_bounds import refuse_oversized
from tabard_server.engine.base.configs import refuse_other_kinds
from tabard_server.engine_port.errors import BaseNotLoadable

FLOW_CLASSES = frozenset(
    f"FlowMatch{name}Scheduler" for name in ("EulerDiscrete", "HeunDiscrete", "LCM")
)
"""Schedulers of flows that are served."""
DYNAMIC = "use_dynamic_shifting"
"""Config entry of a schedule that looks at the size of the picture."""
_WARPS = ("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas")
_SHIFT_MAX = 100.0
"""Greatest shift of a schedule; SD 3.5 has 3."""
_MU_MAX = 20.0
"""Greatest exponent of a shift by the size; Flux has 1.15 at 1024 x 1024."""
_STEPS_MAX = 100_000
_PATCHES_MAX = 1 << 16
"""Most latent patches that a schedule is tried with: those of 4096 x 4096 pixels."""
_AGAIN = "copy or download the folder again, or save the pipeline again"


def size_shift(config: Mapping[str, Any], *, image_tokens: int) -> float:
    """Return `mu` for a picture of so many latent patches: a line through two points.

    As `calculate_shift` in diffusers' pipelines of SD3 and Flux, operation by operation.
    """
    few, many = config["base_image_seq_len"], config["max_image_seq_len"]
    least, most = config["base_shift"], config["max_shift"]
    slope = (most - least) / (many - few)
    return float(image_tokens * slope + (least - slope * few))


def make_flow_scheduler(config: Mapping[str, Any], *, source: str) -> Any:
    """Make the scheduler of a flow base; what its class has no use for is left out of it.

    Args:
        config: As it stands in `scheduler_config.json`.
        source: What to call the base.

    Raises:
        BaseNotLoadable: It is no schedule, or one that runs another way than those served.
    """
    kind = getattr(diffusers, config["_class_name"])
    file = Path(source) / "scheduler_config.json"
    refuse_oversized(config, file=file)
    _refuse_steps(config, source=source)
    refuse_other_kinds(config, of=kind, file=file)
    try:
        own = inspect.signature(kind.__init__).parameters.keys()
        scheduler = kind(**{name: value for name, value in config.items() if name in own})
    # A constructor of a library stumbles in its own way over every value that cannot be.
    except Exception as error:
        raise BaseNotLoadable(
            f"the scheduler_config.json of {source} describes no flow", hint=_AGAIN
        ) from error
    if problem := _problem(scheduler.config):
        raise BaseNotLoadable(
            f"the scheduler_config.json of {source} describes no flow that is served: {problem}",
            hint="give a scheduler as SD 3.5 and Flux.1 have it, or save the pipeline again",
        )
    scheduler.register_to_config(_class_name=config["_class_name"])
    return scheduler


def _refuse_steps(config: Mapping[str, Any], *, source: str) -> None:
    steps = config.get("num_train_timesteps")
    if steps is None:
        raise BaseNotLoadable(
            f"the scheduler_config.json of {source} does not say num_train_timesteps", hint=_AGAIN
        )
    if type(steps) is not int or not 1 < steps <= _STEPS_MAX:
        raise BaseNotLoadable(
            f"the scheduler_config.json of {source} says {str(steps)[:40]} steps", hint=_AGAIN
        )


def _problem(config: Mapping[str, Any]) -> str:
    """Say what of a configuration makes no schedule; empty: nothing."""
    shift = config["shift"]
    if not _is_number(shift) or not 0 < shift <= _SHIFT_MAX:
        return f"its shift is {str(shift)[:40]}"
    if config.get("invert_sigmas"):
        return "it runs from the picture to noise (invert_sigmas)"
    if config.get("scale_factors"):
        return "it draws at several sizes (scale_factors)"
    end = config.get("shift_terminal")
    if end is not None and not (_is_number(end) and 0 <= end < 1):
        return f"its shift_terminal is {str(end)[:40]}"
    bent = [name for name in _WARPS if config.get(name)]
    if len(bent) > 1:
        return f"its sigmas are bent twice, by {' and '.join(bent)}"
    return _size_problem(config) if config.get(DYNAMIC) else ""


def _size_problem(config: Mapping[str, Any]) -> str:
    """Say why a schedule cannot follow the size of the picture; empty: it can."""
    for name in ("base_shift", "max_shift"):
        if not _is_number(config[name]):
            return f"its {name} is {str(config[name])[:40]}"
    few, many = config["base_image_seq_len"], config["max_image_seq_len"]
    if not 0 < few < many:
        return f"it goes from {few} to {many} patches"
    found = [size_shift(config, image_tokens=tokens) for tokens in (1, few, many, _PATCHES_MAX)]
    # What is no exponent is a factor, and must be above zero.
    least = 0.0 if config["time_shift_type"] == "linear" else -_MU_MAX
    if not all(least < mu <= _MU_MAX for mu in found):
        return (
            f"it shifts pictures of 1 to {_PATCHES_MAX} patches by {min(found):g} to {max(found):g}"
        )
    return ""


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)
