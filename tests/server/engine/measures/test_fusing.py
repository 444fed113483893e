# SPDX-License-Identifier: Apache-2.0
"""The pass on which kernels are tried is one of the base's own size, in what it computes in."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tabard_server.engine.base.loading import load_base
from tabard_server.engine.measures import fusing


def test_layers_are_tried_on_a_whole_pass(tiny_base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that the choice is told; what it does with it is its own test's."""
    kernel = SimpleNamespace(multiply=object())
    monkeypatch.setitem(sys.modules, "tabard_server.engine.slots.fused.kernel", kernel)
    told: dict[str, Any] = {}

    def choose(module: Any, run: Any, **options: Any) -> int:
        tried = run.__self__
        told.update(options, module=module, tried=tried.model, shape=tried.inputs["sample"].shape)
        return 3

    monkeypatch.setattr(fusing, "fuse_where_it_pays", choose)
    base = load_base(str(tiny_base))

    found = fusing.fuse(base, rows=5, is_compiled=True)

    side = base.native_pixels // base.latent_factor
    assert found == 3 and told["module"] is told["tried"] is base.network.module
    assert told["shape"] == (2, base.network.channels, side, side)
    assert (told["rows"], told["is_compiled"], told["multiply"]) == (5, True, kernel.multiply)
