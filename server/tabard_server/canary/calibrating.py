# SPDX-License-Identifier: Apache-2.0
"""Draws what a canary is scored by: the baseline's pictures and the base's on a grid, once.

In: a canary. Out: the scale of its style. The pictures are those of an evaluation, and kept like
them: a server that begins anew, or another one with the same cache, draws nothing twice.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from tabard_registry import AdapterRef, Author
from tabard_registry.identity.identity import ANYBODY
from tabard_registry.refs.digest import Digest
from tabard_registry.refs.names import AdapterName, ByDigest
from tabard_registry.release.canary import Canary
from tabard_server.canary.scorer import Calibration, calibrate
from tabard_server.canary.shadowing import CANARIES
from tabard_server.evaluation.cells import Cell, Side
from tabard_server.evaluation.drawer import Asker, Drawer, Picture
from tabard_server.evaluation.events import Wish
from tabard_server.evaluation.looks import Encoders, Look, look_at
from tabard_server.evaluation.pinning import Pinning
from tabard_server.judgement.scores.result import NotChecked
from tabard_server.scheduler.claims import Priority
from tabard_server.threads import Threads

_SIDES = (Side.AGAINST, Side.BASE)
_SEEDS = 1


class Calibrating:
    """Calibrates the canaries of a server."""

    def __init__(
        self,
        *,
        pinning: Pinning,
        drawer: Drawer,
        encoders: Encoders,
        threads: Threads,
        looking_seconds_max: float,
    ) -> None:
        """Take what pins and draws evaluations, and how long a picture may be looked at."""
        self._pinning = pinning
        self._drawer = drawer
        self._encoders = encoders
        self._threads = threads
        self._looking_seconds_max = looking_seconds_max

    async def calibrate(
        self, adapter: AdapterName, canary: Canary, *, author: Author, scoring: Threads
    ) -> Calibration | NotChecked:
        """Draw the grid, and build the scale; `scoring` is where this canary's pictures are seen.

        Raises:
            TimeoutError: What looks at pictures stands still.
            ServerError, RegistryError, EngineError: It could not be pinned or drawn.
        """
        wish = Wish(
            ref=_exact(adapter, canary.terms.candidate),
            against=_exact(adapter, canary.terms.baseline),
            # As shadows, for a busy server has steps with room, and rarely none at all.
            asker=Asker(caller=CANARIES, identity=ANYBODY, priority=Priority.SHADOW),
            author=author,
        )
        plan = await self._threads.run(self._pinning.pin, wish)
        controls, seeds = set(plan.controls), plan.grid.seeds[:_SEEDS]
        cells = [
            replace(cell, pictures={side: cell.pictures[side] for side in _SIDES})
            for cell in plan.cells
            if cell.prompt not in controls and cell.seed in seeds
        ]
        size = plan.grid.width, plan.grid.height
        looks: dict[Side, list[Look]] = {side: [] for side in _SIDES}

        async def take(_cell: Cell, pictures: Mapping[Side, Picture]) -> None:
            pngs = {side: pictures[side].png for side in _SIDES}
            async with asyncio.timeout(self._looking_seconds_max):
                found = await scoring.run(look_at, pngs, size=size, encoders=self._encoders)
            for side, look in found.items():
                looks[side].append(look)

        await self._drawer.draw(cells, asker=wish.asker, on_cell=take)
        references = plan.references
        async with asyncio.timeout(self._looking_seconds_max * (1 + len(references.pixels))):
            return await scoring.run(
                calibrate, looks, references=references, encoders=self._encoders
            )


def _exact(adapter: AdapterName, digest: Digest) -> str:
    return str(AdapterRef(adapter=adapter, selector=ByDigest(prefix=digest.hex)))
