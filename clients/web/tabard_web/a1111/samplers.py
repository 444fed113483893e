# SPDX-License-Identifier: Apache-2.0
"""A1111's samplers and schedules as the server's, and the server's as A1111 lists them.

Names go to the server as they are spelled: it knows A1111's, and refuses what no sampler of it
does. Here stands only what A1111 means where it says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tabard import ServerStatus
from tabard_web.a1111.errors import refuse

_AUTOMATIC: Mapping[str, str] = {
    "dpmpp2m": "karras",
    "dpmppsde": "karras",
    "dpmpp2sa": "karras",
    "dpm2": "karras",
    "dpm2a": "karras",
    "dpmpp2msde": "exponential",
    "dpmpp3msde": "exponential",
}
"""What A1111 takes for a sampler where no schedule is named; for all others the sampler's own."""
_NOISY = frozenset({"eulera", "dpm2a", "dpmpp2sa", "dpmppsde", "dpmpp2msde", "dpmpp3msde"})
"""Samplers that add noise of their own, as much as eta says in A1111."""
_TAKE_ETA = frozenset({"ddim", "tcd"})
"""Samplers whose eta is sent; with the others A1111 looks away from it."""
_RHO = {"karras": 7.0}


def read_sampler(name: str, scheduler: str, eta: float | None) -> dict[str, Any]:
    """Give what a server is asked: `sampler`, `schedule` and `eta`, each where it says something.

    Raises:
        ValueError: The eta cannot be had.
    """
    plain = _plain(name)
    is_automatic = _plain(scheduler) in ("", "automatic")
    schedule = _AUTOMATIC.get(plain, "") if is_automatic else scheduler
    said = {"sampler": name, "schedule": schedule, "eta": _eta(plain, eta)}
    return {field: value for field, value in said.items() if value not in (None, "")}


def list_samplers(status: ServerStatus) -> Iterator[dict[str, Any]]:
    """Give a server's samplers as A1111 lists them."""
    for one in status.sampler_options:
        yield {"name": one.title, "aliases": [one.name], "options": {}}


def list_schedulers(status: ServerStatus) -> Iterator[dict[str, Any]]:
    """Give a server's schedules as A1111 lists them."""
    told = ((one.name, one.title, list(one.aliases)) for one in status.schedules)
    for name, label, aliases in (("automatic", "Automatic", []), *told):
        yield {
            "name": name,
            "label": label,
            "aliases": aliases or None,
            "default_rho": _RHO.get(name, -1.0),
            "need_inner_model": False,
        }


def _eta(plain: str, eta: float | None) -> float | None:
    """Give the eta that is sent; one that would count in A1111 and cannot be had is refused."""
    if eta is None:
        return None
    if not plain:
        raise refuse("eta", "it needs a sampler", hint="name one: sampler_name")
    if re.sub(r"(karras|exponential)$", "", plain) in _NOISY and eta != 1.0:
        raise refuse("eta", f"{eta:g} cannot be had with this sampler", hint="send 1")
    return eta if plain in _TAKE_ETA else None


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower().replace("++", "pp"))
