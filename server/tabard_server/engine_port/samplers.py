# SPDX-License-Identifier: Apache-2.0
"""Samplers by their short names, in whatever spelling people write them.

In: a name. Out: which of diffusers' schedulers walks that way, or a refusal that says what to
take instead. Imports no scheduler: `engine/sampling/sampler_prototypes.py` builds them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from tabard_registry.release.sampling import FLOW_PREDICTION
from tabard_server.engine_port.errors import SamplerNotServed, UnknownSampler
from tabard_server.engine_port.walk import ABILITIES, FLOW_ABILITIES, split_schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampler:
    """One way to walk from noise to image.

    Attributes:
        name: Short name, the one we answer with.
        title: The name A1111 shows, written into image metadata.
        scheduler: Class name within diffusers.
        options: Config entries that differ from the base's.
        is_flow: Whether it walks a flow, from noise to a picture in a straight line.
    """

    name: str
    title: str
    scheduler: str
    options: Mapping[str, Any] = field(default_factory=dict)
    is_flow: bool = False

    @property
    def abilities(self) -> frozenset[str]:
        """What it can be told of its steps: some of the fields of a `Walk`."""
        return (FLOW_ABILITIES if self.is_flow else ABILITIES)[self.scheduler]

    @property
    def schedule(self) -> str:
        """The schedule that its name says; empty: none."""
        return "karras" if self.options.get("use_karras_sigmas") else ""

    @property
    def without_schedule(self) -> str:
        """The short name of the sampler that walks like it, and whose name says no schedule."""
        return self.name.removesuffix("_karras")


_KARRAS = {"use_karras_sigmas": True}
_SDE = {"algorithm_type": "sde-dpmsolver++"}
_MULTISTEP = "DPMSolverMultistepScheduler"
# name, title, scheduler, options; a title is unique however it is spelled.
_ROWS: tuple[tuple[str, str, str, Mapping[str, Any]], ...] = (
    ("ddim", "DDIM", "DDIMScheduler", {}),
    ("pndm", "PLMS", "PNDMScheduler", {}),
    ("euler", "Euler", "EulerDiscreteScheduler", {}),
    ("euler_karras", "Euler Karras", "EulerDiscreteScheduler", _KARRAS),
    ("euler_a", "Euler a", "EulerAncestralDiscreteScheduler", {}),
    ("heun", "Heun", "HeunDiscreteScheduler", {}),
    ("heun_karras", "Heun Karras", "HeunDiscreteScheduler", _KARRAS),
    ("lms", "LMS", "LMSDiscreteScheduler", {}),
    ("lms_karras", "LMS Karras", "LMSDiscreteScheduler", _KARRAS),
    ("dpm2", "DPM2", "KDPM2DiscreteScheduler", {}),
    ("dpm2_karras", "DPM2 Karras", "KDPM2DiscreteScheduler", _KARRAS),
    ("dpm2_a", "DPM2 a", "KDPM2AncestralDiscreteScheduler", {}),
    ("dpm2_a_karras", "DPM2 a Karras", "KDPM2AncestralDiscreteScheduler", _KARRAS),
    ("dpmpp_2m", "DPM++ 2M", _MULTISTEP, {}),
    ("dpmpp_2m_karras", "DPM++ 2M Karras", _MULTISTEP, _KARRAS),
    ("dpmpp_2m_sde", "DPM++ 2M SDE", _MULTISTEP, _SDE),
    ("dpmpp_2m_sde_karras", "DPM++ 2M SDE Karras", _MULTISTEP, {**_SDE, **_KARRAS}),
    ("dpmpp_sde", "DPM++ SDE", "DPMSolverSDEScheduler", {}),
    ("dpmpp_sde_karras", "DPM++ SDE Karras", "DPMSolverSDEScheduler", _KARRAS),
    ("unipc", "UniPC", "UniPCMultistepScheduler", {}),
    ("lcm", "LCM", "LCMScheduler", {}),
    ("tcd", "TCD", "TCDScheduler", {}),
)

SAMPLERS: Mapping[str, Sampler] = {
    name: Sampler(name=name, title=title, scheduler=scheduler, options=options)
    for name, title, scheduler, options in _ROWS
}
"""Those that walk a noise schedule, as UNets are trained; every name is among them."""

_FLOW = {
    "prediction_type": FLOW_PREDICTION,
    "use_flow_sigmas": True,
    "use_karras_sigmas": False,
    "use_exponential_sigmas": False,
    "use_beta_sigmas": False,
}
_FLOW_ROWS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "euler": ("FlowMatchEulerDiscreteScheduler", {}),
    "euler_karras": ("FlowMatchEulerDiscreteScheduler", _KARRAS),
    "heun": ("FlowMatchHeunDiscreteScheduler", {}),
    "dpmpp_2m": (_MULTISTEP, _FLOW),
    "dpmpp_2m_sde": (_MULTISTEP, {**_SDE, **_FLOW}),
    "unipc": ("UniPCMultistepScheduler", _FLOW),
    "lcm": ("FlowMatchLCMScheduler", {"scale_factors": None}),
}

FLOW_SAMPLERS: Mapping[str, Sampler] = {
    name: Sampler(
        name=name,
        title=SAMPLERS[name].title,
        scheduler=scheduler,
        options=options,
        is_flow=True,
    )
    for name, (scheduler, options) in _FLOW_ROWS.items()
}
"""Those that walk a flow: the same names, each the scheduler of diffusers that does so there."""

NEAREST_FLOW: Mapping[str, str] = {
    "ddim": "euler",
    "pndm": "dpmpp_2m",
    "euler_a": "dpmpp_2m_sde",
    "heun_karras": "heun",
    "lms": "dpmpp_2m",
    "lms_karras": "dpmpp_2m",
    "dpm2": "heun",
    "dpm2_karras": "heun",
    "dpm2_a": "dpmpp_2m_sde",
    "dpm2_a_karras": "dpmpp_2m_sde",
    "dpmpp_2m_karras": "dpmpp_2m",
    "dpmpp_2m_sde_karras": "dpmpp_2m_sde",
    "dpmpp_sde": "dpmpp_2m_sde",
    "dpmpp_sde_karras": "dpmpp_2m_sde",
    "tcd": "lcm",
}
"""What to take on a flow base instead of a sampler that walks none."""

_ALIASES = {
    "plms": "pndm",
    "eulera": "euler_a",
    "eulerancestral": "euler_a",
    "dpm2ancestral": "dpm2_a",
    "kdpm2": "dpm2",
    "kdpm2a": "dpm2_a",
    "kdpm2ancestral": "dpm2_a",
    **{re.sub(r"[^a-z0-9]", "", name): name for name in SAMPLERS},
}
# Known to A1111's users; none of diffusers' schedulers walks that way one step at a time.
_NOT_SERVED = {
    "dpmfast": "dpmpp_2m",
    "dpmadaptive": "dpmpp_2m_karras",
    "dpmpp2sa": "euler_a",
    "dpmpp2sakarras": "dpm2_a_karras",
    "dpmpp2msdeheun": "dpmpp_2m_sde",
    "dpmpp2msdeheunkarras": "dpmpp_2m_sde_karras",
    "dpmpp3msde": "dpmpp_2m_sde",
    "dpmpp3msdekarras": "dpmpp_2m_sde_karras",
    "dpmpp3msdeexponential": "dpmpp_2m_sde_karras",
    "restart": "heun_karras",
    "ddimcfgpp": "ddim",
    "repaint": "ddim",
    "scm": "lcm",
}
# Names of diffusers' classes; what they are depends on the base, and so does the short name.
_BY_BASE = {
    "flowmatcheuler": "euler",
    "flowmatcheulerdiscrete": "euler",
    "flowmatchheun": "heun",
    "flowmatchheundiscrete": "heun",
    "flowmatchlcm": "lcm",
}


def samplers_for(prediction: str) -> Mapping[str, Sampler]:
    """Return those that can walk a base, by what it predicts."""
    return FLOW_SAMPLERS if prediction == FLOW_PREDICTION else SAMPLERS


def default_sampler(name: str, *, prediction: str) -> str:
    """Return the sampler of a request that says none.

    Args:
        name: As the operator wrote it; empty: nothing was.
        prediction: What the base predicts.
    """
    return name or ("euler" if prediction == FLOW_PREDICTION else "ddim")


def read_sampler(name: str) -> tuple[str, str]:
    """Return the short name of a sampler, and the schedule that is written behind it, if any.

    As UIs write both in one: `DPM++ 2M SDE Exponential`. What is a sampler as a whole stays one.

    Raises:
        SamplerNotServed, UnknownSampler: As `resolve_sampler`.
    """
    plain = _plain(name)
    if not _is_known(plain) and (split := split_schedule(plain)) is not None:
        sampler, schedule = split
        if _is_known(sampler):
            return resolve_sampler(sampler), schedule
    return resolve_sampler(name), ""


def resolve_sampler(name: str) -> str:
    """Return the short name for a sampler as people write it.

    Case, spaces, underscores and the pluses of A1111's spellings do not matter:
    `DPM++ 2M Karras`, `dpmpp_2m_karras` and `dpmpp-2m-karras` are one.

    Raises:
        SamplerNotServed: It is known, but cannot run one step of one row at a time, or goes by a
            shorter name here.
        UnknownSampler: No sampler goes by that name.
    """
    plain = _plain(name)
    for key in _keys(plain):
        if key in _ALIASES:
            return _ALIASES[key]
        if key in _NOT_SERVED:
            raise SamplerNotServed(
                f"the sampler {name!r} cannot run one step of one image at a time",
                hint=f"take {_NOT_SERVED[key]}, the nearest that can",
            )
        if key in _BY_BASE:
            raise SamplerNotServed(
                f"{name!r} is what {_BY_BASE[key]} is on a flow base, and no name of its own",
                hint=f"take {_BY_BASE[key]}",
            )
    near = get_close_matches(plain, _ALIASES, n=1)
    meant = f"did you mean {_ALIASES[near[0]]}? " if near else ""
    raise UnknownSampler(
        f"no sampler is called {name!r}", hint=f"{meant}choose one of: {', '.join(SAMPLERS)}"
    )


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower().replace("++", "pp"))


def _keys(plain: str) -> tuple[str, str]:
    return plain, re.sub(r"^dpm(?=2m|3m|2s|sde)", "dpmpp", plain)


def _is_known(plain: str) -> bool:
    return any(key in known for key in _keys(plain) for known in (_ALIASES, _NOT_SERVED, _BY_BASE))
