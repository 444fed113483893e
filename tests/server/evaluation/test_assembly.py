# SPDX-License-Identifier: Apache-2.0
"""Evaluation put together for a server."""

import asyncio
import json
from pathlib import Path

from tabard_registry import AdapterRef
from tests.server.evaluation.wishes.asking import ask, evaluate, prepare
from tests.server.harness import serving


def test_server_draws_by_its_own_defaults(tmp_path: Path) -> None:
    """The shipped grid has the base's size, and the steps and the sampler of the settings."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            await prepare(server)
            events = await evaluate(server, ask(grid_document=b""))

            report = json.loads(events[-1].verdict.report)
            technical = report["technical"]
            assert events[0].started.grid == "style"
            assert (technical["steps"], technical["sampler"]) == (4, "ddim")
            assert technical["latent_size"] == [8, 8]
            assert (technical["hardware"], technical["dtype"]) == ("cpu", "float32")
            assert technical["libraries"] == {"fake": "1.0"}
            assert server.app.registry.state.find(AdapterRef.parse("acme/ink@1.1.0")).health.report
            assert list((tmp_path / "cache" / "evaluations").iterdir())

    asyncio.run(walk())
