# SPDX-License-Identifier: Apache-2.0
"""Tables made from a base are made once: a server checks every file against the same profile."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from tabard_registry.intake.profile import BaseProfile

_PROFILES_MAX = 4

Table = TypeVar("Table")


def per_profile(make: Callable[[BaseProfile], Table]) -> Callable[[BaseProfile], Table]:
    """Keep what a pure function made of the last few profiles. Any thread.

    Profiles are told apart by identity: they are immutable, and comparing two takes longer than
    most tables. A kept profile stays alive, so its identity is not given to another one.
    """
    kept: OrderedDict[int, tuple[BaseProfile, Table]] = OrderedDict()
    lock = threading.Lock()

    @wraps(make)
    def table_of(profile: BaseProfile) -> Table:
        with lock:
            found = kept.get(id(profile))
            if found is not None:
                kept.move_to_end(id(profile))
                return found[1]
        table = make(profile)
        with lock:
            kept[id(profile)] = (profile, table)
            while len(kept) > _PROFILES_MAX:
                kept.popitem(last=False)
        return table

    return table_of
