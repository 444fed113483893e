# SPDX-License-Identifier: Apache-2.0
"""How much of a base a file changes: by component, and by what its modules are for. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache

from tabard_registry.intake.dialect import Reading
from tabard_registry.intake.profile import PROFILES_KEPT_MAX, BaseProfile, ModuleShape
from tabard_registry.report import Coverage

_KINDS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("attention", re.compile(r".*(?:\.attn\d?|\.self_attn)\.")),
    ("feed_forward", re.compile(r".*\.(?:ff|mlp)\.")),
    ("projection", re.compile(r"(?:.*\.)?(?:proj_in|proj_out|text_projection)$")),
)
_ON_DEMAND = ("norm", "bias")


def measure_coverage(reading: Reading, *, profile: BaseProfile) -> tuple[Coverage, ...]:
    """Count changed modules beside all modules, for each component that is touched.

    Norms and biases are only mentioned where one of them is changed.
    """
    changed = Counter(_changed(reading, profile=profile))
    touched = {component for component, _ in changed}
    totals = {place: count for place, count in _totals(profile).items() if place[0] in touched}
    return tuple(
        Coverage(component=component, kind=kind, changed=changed[component, kind], total=total)
        for (component, kind), total in sorted(totals.items())
        if kind not in _ON_DEMAND or changed[component, kind]
    )


@lru_cache(maxsize=PROFILES_KEPT_MAX)
def _totals(profile: BaseProfile) -> Mapping[tuple[str, str], int]:
    return Counter(_places(profile))


def _changed(reading: Reading, *, profile: BaseProfile) -> Iterator[tuple[str, str]]:
    """Yield each changed module once: a norm by whichever of its parameters."""
    norms: set[tuple[str, str]] = set()
    for layer in reading.layers:
        yield layer.component, _kind(layer.module, profile.modules[layer.component][layer.module])
    for change in reading.changes:
        name, _, own = change.parameter.rpartition(".")
        module = profile.modules[change.component].get(name)
        if module is None:
            norms.add((change.component, name))
        else:
            yield change.component, "bias" if own == "bias" else _kind(name, module)
    for component, _ in norms:
        yield component, "norm"


def _places(profile: BaseProfile) -> Iterator[tuple[str, str]]:
    for component, modules in profile.modules.items():
        for name, module in modules.items():
            yield component, _kind(name, module)
    for component, vectors in profile.vectors.items():
        for parameter in vectors:
            name, _, own = parameter.rpartition(".")
            if own == "weight":
                yield component, "norm"
            elif name in profile.modules.get(component, {}):
                yield component, "bias"


def _kind(name: str, module: ModuleShape) -> str:
    for kind, pattern in _KINDS:
        if pattern.match(name):
            return kind
    return "convolution" if module.kind == "conv2d" else "other"
