# SPDX-License-Identifier: Apache-2.0
"""Kinds of pass, and what stands in for the compiler."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tabard_server.engine.compiled.folder import LibraryFolder
from tabard_server.engine.compiled.graph import PassShape
from tabard_server.engine.compiled.order import BaseOrder, Order

CONFIG = {"in_channels": 4, "cross_attention_dim": 8}


def shape(samples: int = 2) -> PassShape:
    """Return a bare kind of pass."""
    return PassShape(samples=samples, height=8, width=8, tokens=77)


def lay_down(order: Order, _scratch: Path) -> dict[str, float]:
    """Build what is a library by name only."""
    order.target.write_bytes(b"kernels of " + order.shape.name.encode())
    order.target.with_suffix(".json").write_text(json.dumps({"wants": {}}))
    return {"seconds": 1.0, "cpu_seconds": 2.0}


def until(is_so: Callable[[], bool]) -> None:
    """Wait for another thread."""
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


@pytest.fixture
def base_order() -> BaseOrder:
    return BaseOrder(config=CONFIG, dtype="float32", rank_rows=9)


@pytest.fixture
def folder(tmp_path: Path, base_order: BaseOrder) -> LibraryFolder:
    return LibraryFolder(tmp_path / "compiled", key=base_order.key, bytes_max=1 << 20)
