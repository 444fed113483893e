# SPDX-License-Identifier: Apache-2.0
"""The golden table: every module of every family at full size, and what kohya's trainers call it.

Read from `table.json.gz`, without torch; `python -m tests.golden.full_size.make_table` makes it.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from tabard_registry import BaseProfile, ModuleShape
from tabard_registry.intake.profile import DENOISERS

FILE = Path(__file__).with_name("table.json.gz")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One module with weights.

    Attributes:
        component: `unet` or a text encoder.
        module: Its classic name.
        kind: `linear`, `conv2d` or `norm`.
        inputs: Features or channels in; the width of a norm.
        outputs: Features or channels out.
        kernel: Height and width.
        has_bias: Whether it has one.
        kohya: Its name in kohya's files.
        original: The same by the original code's names; empty for text encoders.
        dotted: The original code's own name, of a transformer's; elsewhere empty.
        spans: Which of the original's rows it is, in its own order; of a transformer's alone.
    """

    component: str
    module: str
    kind: Literal["linear", "conv2d", "norm"]
    inputs: int
    outputs: int
    kernel: tuple[int, int]
    has_bias: bool
    kohya: str
    original: str
    dotted: str = ""
    spans: tuple[tuple[int, int], ...] = ()

    @property
    def target(self) -> tuple[str, str]:
        """Component and module, as tables of names have it."""
        return self.component, self.module


@cache
def rows(family: str) -> tuple[Row, ...]:
    """Return the modules of a family."""
    document = json.loads(gzip.decompress(FILE.read_bytes()))
    return tuple(_row(found) for found in document[family])


def layers(family: str) -> tuple[Row, ...]:
    """Return the linear modules and convolutions of a family."""
    return tuple(row for row in rows(family) if row.kind != "norm")


@cache
def full_size_profile(family: str) -> BaseProfile:
    """Return the profile of a family at full size: `sd1`, …, or `sd3_medium`, `sd3_large`."""
    modules: dict[str, dict[str, ModuleShape]] = {}
    token_widths: dict[str, int] = {}
    for row in rows(family):
        if row.kind != "norm":
            modules.setdefault(row.component, {})[row.module] = ModuleShape(
                kind=row.kind, inputs=row.inputs, outputs=row.outputs, kernel=row.kernel
            )
        if row.component not in DENOISERS and row.kind == "norm":
            token_widths[row.component] = row.inputs
    return BaseProfile(
        family=family.partition("_")[0],
        fingerprints={name: f"sha256:{'0' * 64}" for name in modules},
        modules=modules,
        token_widths=token_widths,
        vectors=widths(family),
    )


def widths(family: str) -> dict[str, dict[str, int]]:
    """Return the width of every norm's parameters and of every bias, by component and parameter."""
    found: dict[str, dict[str, int]] = {}
    for row in rows(family):
        names = (["weight"] if row.kind == "norm" else []) + (["bias"] if row.has_bias else [])
        own = found.setdefault(row.component, {})
        own |= {f"{row.module}.{name}": row.outputs for name in names}
    return found


def _row(found: list[Any]) -> Row:
    component, module, kind, inputs, outputs, kernel, has_bias, kohya, original, *rest = found
    dotted, spans = rest or ("", ())
    return Row(
        component=component,
        module=module,
        kind=kind,
        inputs=inputs,
        outputs=outputs,
        kernel=(kernel[0], kernel[1]),
        has_bias=has_bias,
        kohya=kohya,
        original=original,
        dotted=dotted,
        spans=tuple((start, end) for start, end in spans),
    )
