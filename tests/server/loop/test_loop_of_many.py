# SPDX-License-Identifier: Apache-2.0
"""What a turn asks of the engine does not grow with what lies there."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from tabard_server.engine_port.stack import Resident
from tests.server.fakes import FakeEngine
from tests.server.harness import serving


@dataclass
class _Listing(FakeEngine):
    """Counts how often all that lies in its slots is listed."""

    listed: int = 0

    def residents(self) -> list[Resident]:
        self.listed += 1
        return super().residents()

    @property
    def resident_bytes(self) -> int:
        return 0

    def holds(self, digest: str) -> bool:
        return any(one.digest == digest for one in super().residents())


def test_images_come_and_go_without_a_list(tmp_path: Path) -> None:
    """Rows that open, wear adapters, step and close; whoever asks for a list has one."""
    engine = _Listing()

    async def walk() -> None:
        async with serving(tmp_path, engine=engine) as server:
            await server.publish("acme/ink")
            for seed in range(3):
                told = await server.generate("x", adapters=["acme/ink@1.0.0"], seed=seed)
                assert told.kinds[-1] == "done"

    asyncio.run(walk())

    assert engine.closed == 3 and engine.listed == 0
    assert engine.residents() == [] and engine.listed == 1
