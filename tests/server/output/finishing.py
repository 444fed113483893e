# SPDX-License-Identifier: Apache-2.0
"""A finisher at work for the length of a block, and pixels that come when a test lets them."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tabard_server.engine_port.drawing import Pixels
from tabard_server.output.clearance import Clearance
from tabard_server.output.finisher import Finisher
from tabard_server.output.provenance import Origin
from tabard_server.telemetry.metrics import Metrics

PATIENCE_SECONDS = 60.0
DRAWN = np.arange(64 * 64 * 3, dtype=np.uint8).reshape(64, 64, 3)
ORIGIN = Origin(
    tabard="1",
    base_family="sd1",
    base_fingerprint="sha256:0",
    base_source="base",
    registry_id="r",
    device="cpu",
    dtype="float32",
    versions={},
    sampler_titles={},
)


@dataclass(kw_only=True)
class Readback:
    """Pixels that come when they may, or never."""

    error: Exception | None = None
    may_come: threading.Event | None = None
    is_asked: threading.Event = field(default_factory=threading.Event)

    def pixels(self) -> Pixels:
        self.is_asked.set()
        if self.may_come is not None:
            assert self.may_come.wait(PATIENCE_SECONDS)
        if self.error is not None:
            raise self.error
        return DRAWN


@contextmanager
def finishing(
    metrics: Metrics | None = None, *, backlog_max: int = 8, **clears: Any
) -> Iterator[Finisher]:
    """Give a finisher; everything that was queued is done after the block."""
    metrics = metrics or Metrics()
    clearance = Clearance(metrics=metrics, **clears)
    found = Finisher(origin=ORIGIN, clearance=clearance, backlog_max=backlog_max, metrics=metrics)
    found.start()
    try:
        yield found
    finally:
        asyncio.run(found.stop())
