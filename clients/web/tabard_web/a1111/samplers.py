# SPDX-License-Identifier: Apache-2.0
"""A1111's samplers and schedules as Tabard's samplers: a name, a schedule and an eta become one.

What no sampler of Tabard does is refused by the parameter that asks for it. Names go to the server
as they are spelled; it knows A1111's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tabard_web.a1111.errors import refuse

TITLES: Mapping[str, str] = {
    "ddim": "DDIM",
    "pndm": "PLMS",
    "euler": "Euler",
    "euler_a": "Euler a",
    "heun": "Heun",
    "lms": "LMS",
    "dpm2": "DPM2",
    "dpm2_a": "DPM2 a",
    "dpmpp_2m": "DPM++ 2M",
    "dpmpp_2m_sde": "DPM++ 2M SDE",
    "dpmpp_sde": "DPM++ SDE",
    "unipc": "UniPC",
    "tcd": "TCD",
    "lcm": "LCM",
}
"""A1111's names by those of Tabard; a schedule stands behind both."""
SCHEDULERS: tuple[Mapping[str, Any], ...] = tuple(
    {"name": name, "label": label, "aliases": None, "default_rho": rho, "need_inner_model": False}
    for name, label, rho in (
        ("automatic", "Automatic", -1.0),
        ("uniform", "Uniform", -1.0),
        ("karras", "Karras", 7.0),
    )
)
"""The schedules that can be had."""

_KARRAS = "_karras"
_AUTOMATIC: Mapping[str, str] = {
    "dpmpp2m": "karras",
    "dpmppsde": "karras",
    "dpmpp2sa": "karras",
    "dpm2": "karras",
    "dpm2a": "karras",
    "dpmpp2msde": "exponential",
    "dpmpp3msde": "exponential",
}
"""What A1111 takes for a sampler where no schedule is named; `uniform` for all others."""
_NOISY = frozenset({"eulera", "dpm2a", "dpmpp2sa", "dpmppsde", "dpmpp2msde", "dpmpp3msde"})
"""Samplers that add noise of their own, as much as eta says."""


def read_sampler(name: str, scheduler: str, eta: float | None) -> str:
    """Give the sampler that a server is asked for; empty: its default.

    Raises:
        ValueError: The schedule or the eta cannot be had.
    """
    schedule = scheduler.strip().lower().replace(" ", "_") or "automatic"
    if not name:
        if schedule != "automatic":
            raise refuse("scheduler", "it needs a sampler", hint="name one: sampler_name")
        if eta is not None:
            raise refuse("eta", "it needs a sampler", hint="name one: sampler_name")
        return ""
    plain = _plain(name)
    _check_eta(plain.removesuffix("karras"), eta)
    if plain.endswith("karras") and schedule in ("automatic", "karras"):
        return name
    if schedule == "automatic":
        schedule = _AUTOMATIC.get(plain, "uniform")
    match schedule:
        case "uniform":
            return name
        case "karras":
            return f"{name} Karras"
        case _:
            hint = "take Karras or Uniform"
            raise refuse("scheduler", f"the schedule {schedule!r} cannot be had", hint=hint)


def list_samplers(names: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Give a server's samplers as A1111 lists them."""
    for name in names:
        base = name.removesuffix(_KARRAS)
        title = TITLES.get(base, base) + (" Karras" if name.endswith(_KARRAS) else "")
        yield {"name": title, "aliases": [name], "options": {}}


def title_of(name: str) -> str:
    """Give A1111's name of a sampler."""
    return next(list_samplers([name]))["name"]  # type: ignore[no-any-return]


def _check_eta(plain: str, eta: float | None) -> None:
    """Refuse an eta that would count: only A1111's own value of a sampler is drawn with."""
    usual = 1.0 if plain in _NOISY else 0.0 if plain == "ddim" else eta
    if eta is not None and eta != usual:
        raise refuse("eta", f"{eta:g} cannot be had with this sampler", hint=f"send {usual:g}")


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower().replace("++", "pp"))
