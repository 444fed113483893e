# SPDX-License-Identifier: Apache-2.0
"""The walk of an evaluation: pin, draw, look, judge, draft, keep; and what is told on the way.

In: a wish. Out: events, the last of them a verdict, which informs: a person decides. What is the
same evaluation is judged once, however often and from wherever it is asked for. Asyncio thread.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

from tabard_registry import AdapterRef, ByVersion, Registry
from tabard_registry.evidence.documents import read_document, to_bytes
from tabard_registry.evidence.report import Report
from tabard_registry.refs.digest import Digest, sha256_bytes
from tabard_server.evaluation.cells import Cell, Side
from tabard_server.evaluation.draft import draft_report
from tabard_server.evaluation.drawer import Asker, Drawer, Picture
from tabard_server.evaluation.encoder_change import remarks_on
from tabard_server.evaluation.events import (
    CellDrawn,
    EvaluationEvent,
    Judged,
    Phase,
    Progress,
    ScoreTold,
    Wish,
)
from tabard_server.evaluation.findings import Sheet, find
from tabard_server.evaluation.looks import (
    Encoders,
    Look,
    gathered,
    look_at,
    look_at_training,
)
from tabard_server.evaluation.picture_cache import PictureCache
from tabard_server.evaluation.pinning import Pinning
from tabard_server.evaluation.plan import Plan
from tabard_server.evaluation.shipped_grids import grid_name_for
from tabard_server.judgement.verdict import GatePolicy
from tabard_server.threads import Threads

Tell = Callable[[EvaluationEvent], Awaitable[None]]


class Evaluation:
    """Evaluates releases, for one server."""

    def __init__(
        self,
        registry: Registry,
        *,
        pinning: Pinning,
        drawer: Drawer,
        encoders: Encoders,
        policy: GatePolicy,
        cache: PictureCache,
        threads: Threads,
    ) -> None:
        """Take the rooms along the way; `cache` keeps reports beside the pictures they rest on."""
        self._registry = registry
        self._pinning = pinning
        self._drawer = drawer
        self._encoders = encoders
        self._policy = policy
        self._cache = cache
        self._threads = threads
        self._turns = _Turns()

    async def evaluate(self, wish: Wish, *, tell: Tell) -> None:
        """Evaluate a release, and tell of it as it happens.

        Raises:
            ServerError, RegistryError, EngineError: It was refused, or cut off; what was drawn is
                kept, and not drawn again.
        """
        plan, asker = await self._threads.run(self._pinning.pin, wish), wish.asker
        # What was sent is not needed any more, and may be large.
        del wish
        await tell(plan.started)
        key = plan.key(encoders=self._encoders, policy=self._policy)
        async with self._turns.one(key):
            content = await self._threads.run(self._cache.get, _kept_as(key))
            created = content is None
            if content is None:
                content = await self._judge(plan, asker=asker, tell=tell)
                await self._threads.run(self._cache.put, _kept_as(key), content)
        await tell(_told(content, created=created))

    async def _judge(self, plan: Plan, *, asker: Asker, tell: Tell) -> bytes:
        desk = _Desk(plan, encoders=self._encoders, tell=tell, threads=self._threads)
        await self._drawer.draw(plan.cells, asker=asker, on_cell=desk.take)
        total = len(desk.drawn)
        await tell(Progress(phase=Phase.JUDGING, done=total, total=total))
        report = await self._threads.run(self._report, plan, desk)
        return to_bytes(report)

    def _report(self, plan: Plan, desk: "_Desk") -> Report:
        encoders = self._encoders
        references = plan.references.pixels
        training = plan.training.pixels
        sheet = Sheet(
            sides={side: gathered(looks) for side, looks in desk.looks.items()},
            controls=plan.controls,
            prompts=plan.prompts,
            references=encoders.embed(references) if references else None,
            training=look_at_training(training, encoders=encoders) if training else None,
            has_trigger=bool(plan.candidate.trigger),
            is_subject=grid_name_for(plan.candidate.release) == "subject",
        )
        findings = find(sheet, encoders=encoders, policy=self._policy)
        manifest = self._registry.manifest(plan.candidate.release.digest)
        findings = replace(
            findings,
            reasons=(*findings.reasons, *remarks_on(self._baseline(plan), encoders=encoders)),
        )
        return draft_report(plan, findings, drawn=desk.drawn, manifest=manifest, encoders=encoders)

    def _baseline(self, plan: Plan) -> Report | None:
        """Return the newest report on what would be replaced."""
        if plan.against is None:
            return None
        release = plan.against.release
        ref = AdapterRef(adapter=release.adapter, selector=ByVersion(release.version))
        kept = self._registry.evidence.newest(ref, kind="report")
        return kept.document if kept and isinstance(kept.document, Report) else None


class _Desk:
    """Where the cells of one evaluation are looked at as they come."""

    def __init__(self, plan: Plan, *, encoders: Encoders, tell: Tell, threads: Threads) -> None:
        self.looks: dict[Side, dict[tuple[int, int], Look]] = {}
        self.drawn: dict[tuple[int, int], dict[Side, Digest]] = {}
        self._plan = plan
        self._places = {seed: place for place, seed in enumerate(plan.grid.seeds)}
        self._encoders = encoders
        self._tell = tell
        self._threads = threads

    async def take(self, cell: Cell, pictures: Mapping[Side, Picture]) -> None:
        """Look at a cell, and tell of it."""
        grid = self._plan.grid
        pngs = {side: picture.png for side, picture in pictures.items()}
        found = await self._threads.run(
            look_at, pngs, size=(grid.width, grid.height), encoders=self._encoders
        )
        for side, look in found.items():
            self.looks.setdefault(side, {})[cell.prompt, self._places[cell.seed]] = look
        self.drawn[cell.prompt, cell.seed] = {
            side: sha256_bytes(png) for side, png in pngs.items() if png is not None
        }
        total = len(grid.prompts) * len(grid.seeds)
        await self._tell(CellDrawn(cell=cell, pictures=pictures))
        await self._tell(Progress(phase=Phase.DRAWING, done=len(self.drawn), total=total))


class _Turns:
    """One at a time for each key: who asks for the same thing waits, and finds it done."""

    def __init__(self) -> None:
        self._locks: dict[str, asyncio.Lock] = {}
        self._users: Counter[str] = Counter()

    @asynccontextmanager
    async def one(self, key: str) -> AsyncIterator[None]:
        """Hold the turn inside the block."""
        lock = self._locks.setdefault(key, asyncio.Lock())
        self._users[key] += 1
        try:
            async with lock:
                yield
        finally:
            self._users[key] -= 1
            if not self._users[key]:
                del self._users[key], self._locks[key]


def _kept_as(key: str) -> str:
    return f"report-{key}"


def _told(content: bytes, *, created: bool) -> Judged:
    report = read_document(content)
    assert isinstance(report, Report)
    return Judged(
        scores=tuple(
            ScoreTold(
                name=one.name,
                is_measured=one.state == "measured",
                reason=one.reason,
                value=one.value,
                low=one.low,
                high=one.high,
                baseline=one.baseline,
                paired_low=one.paired_low,
                paired_high=one.paired_high,
            )
            for one in report.scores
        ),
        verdict=report.verdict,
        reasons=report.reasons,
        report=content,
        report_digest=str(sha256_bytes(content)),
        created=created,
    )
