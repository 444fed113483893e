# SPDX-License-Identifier: Apache-2.0
"""The walk of an evaluation: pin, draw, look, judge, draft, file; and what is told on the way.

In: a wish. Out: events, the last of them a verdict, which informs: a person decides; and a report
in the registry. What is the same evaluation is judged once, however often and from wherever it is
asked for. Asyncio thread.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

from tabard_registry import AdapterRef, Author, ByVersion, NotFound, Registry
from tabard_registry.content.blobs import Blobs
from tabard_registry.evidence.documents import to_bytes
from tabard_registry.evidence.report import Report
from tabard_registry.refs.digest import Digest, sha256_bytes
from tabard_server.errors import NotEvaluable
from tabard_server.evaluation.cells import Cell, Side
from tabard_server.evaluation.drawer import Asker, Drawer, Picture
from tabard_server.evaluation.events import (
    CellDrawn,
    EvaluationEvent,
    Judged,
    Phase,
    Progress,
    ScoreTold,
    Wish,
)
from tabard_server.evaluation.looks import (
    Encoders,
    Look,
    Vectors,
    gathered,
    look_at,
    look_at_training,
)
from tabard_server.evaluation.pinning import Pinning
from tabard_server.evaluation.plan import Pictures, Plan
from tabard_server.evaluation.reports.draft import draft_report
from tabard_server.evaluation.reports.encoder_change import remarks_on
from tabard_server.evaluation.reports.findings import Sheet, find
from tabard_server.judgement.scores.result import NotChecked, Unchecked
from tabard_server.judgement.verdict import GatePolicy
from tabard_server.threads import Threads

Tell = Callable[[EvaluationEvent], Awaitable[None]]
_FILED_SIDES = (Side.CANDIDATE, Side.AGAINST)
_ATTEMPTS = 2
"""A collection of garbage may take pictures away before the report that needs them is there."""


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
        threads: Threads,
        looking_seconds_max: float,
    ) -> None:
        """Take the rooms along the way, and the registry where reports are filed.

        `looking_seconds_max` is how long the pictures of one cell may be looked at.
        """
        self._registry = registry
        self.pinning = pinning
        self.drawer = drawer
        self._encoders = encoders
        self._policy = policy
        self._threads = threads
        self._looking_seconds_max = looking_seconds_max
        self._turns = _Turns()

    async def evaluate(self, wish: Wish, *, tell: Tell) -> None:
        """Evaluate a release, and tell of it as it happens.

        Raises:
            ServerError, RegistryError, EngineError: It was refused, or cut off; what was drawn is
                kept, and not drawn again.
        """
        plan, asker = await self._threads.run(self.pinning.pin, wish), wish.asker
        author = wish.author
        # What was sent is not needed any more, and may be large.
        del wish
        await tell(plan.started(self._policy.bounds))
        inputs = plan.inputs(encoders=self._encoders, policy=self._policy)
        async with self._turns.one(inputs):
            report = await self._threads.run(self._filed, plan, inputs)
            created = False
            if report is None:
                report, created = await self._judge(
                    plan, inputs=inputs, asker=asker, author=author, tell=tell
                )
        await tell(_told(report, created=created))

    async def _judge(
        self, plan: Plan, *, inputs: Digest, asker: Asker, author: Author, tell: Tell
    ) -> tuple[Report, bool]:
        """Draw, judge and file; return the report, and whether it was filed now."""
        for attempt in range(1, _ATTEMPTS + 1):
            desk = _Desk(
                plan,
                encoders=self._encoders,
                tell=tell,
                blobs=self._registry.blobs,
                threads=self._threads,
                seconds_max=self._looking_seconds_max,
            )
            await self.drawer.draw(plan.cells, asker=asker, on_cell=desk.take)
            total = len(desk.drawn)
            await tell(Progress(phase=Phase.JUDGING, done=total, total=total))
            report = await self._threads.run(self._report, plan, desk, inputs)
            try:
                return await self._threads.run(self._file, plan, report, author)
            except NotFound as error:
                if error.reason != "BLOB_NOT_FOUND" or attempt == _ATTEMPTS:
                    raise
        raise AssertionError("the last attempt returns or raises")

    def _filed(self, plan: Plan, inputs: Digest) -> Report | None:
        """Return the report on the same inputs, whichever server filed it."""
        state = self._registry.catch_up()
        note = state.find(plan.candidate.exact).health.report_on(inputs)
        return self._registry.evidence.report(note.document) if note else None

    def _file(self, plan: Plan, report: Report, author: Author) -> tuple[Report, bool]:
        evidence = self._registry.evidence
        filed = evidence.put(report, author=author, blobs=[plan.grid_document])
        # Another server may have been first.
        return (report if filed.created else evidence.report(filed.note.document)), filed.created

    def _report(self, plan: Plan, desk: "_Desk", inputs: Digest) -> Report:
        encoders = self._encoders
        sheet = Sheet(
            sides={side: gathered(looks) for side, looks in desk.looks.items()},
            controls=plan.controls,
            prompts=plan.prompts,
            references=_references(plan.references, encoders=encoders),
            training=_training(plan.training, encoders=encoders),
            works_unnamed=plan.candidate.works_unnamed,
            is_subject=plan.candidate.release.judged_as == "subject",
            is_as_served=plan.candidate.is_as_served,
        )
        bounds = plan.bounds(self._policy.bounds)
        findings = find(sheet, encoders=encoders, policy=self._policy, bounds=bounds)
        manifest = self._registry.manifest(plan.candidate.release.digest)
        findings = replace(
            findings,
            reasons=(*findings.reasons, *remarks_on(self._baseline(plan), encoders=encoders)),
        )
        return draft_report(
            plan,
            findings,
            inputs=inputs,
            drawn=desk.drawn,
            manifest=manifest,
            encoders=encoders,
        )

    def _baseline(self, plan: Plan) -> Report | None:
        """Return the newest report on what would be replaced."""
        if plan.against is None:
            return None
        release = plan.against.release
        ref = AdapterRef(adapter=release.adapter, selector=ByVersion(release.version))
        kept = self._registry.evidence.newest(ref, kind="report")
        return kept.document if kept and isinstance(kept.document, Report) else None


class _Desk:
    """Where the cells of one evaluation are looked at as they come.

    What a report shows is stored at once: a grid may be more than the cache holds, and nothing of
    it is visible before the report is.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        encoders: Encoders,
        tell: Tell,
        blobs: Blobs,
        threads: Threads,
        seconds_max: float,
    ) -> None:
        self.looks: dict[Side, dict[tuple[int, int], Look]] = {}
        self.drawn: dict[tuple[int, int], dict[Side, Digest]] = {}
        self._plan = plan
        self._places = {seed: place for place, seed in enumerate(plan.grid.seeds)}
        self._encoders = encoders
        self._tell = tell
        self._blobs = blobs
        self._threads = threads
        self._seconds_max = seconds_max

    async def take(self, cell: Cell, pictures: Mapping[Side, Picture]) -> None:
        """Look at a cell, and tell of it."""
        grid = self._plan.grid
        pngs = {side: picture.png for side, picture in pictures.items()}
        try:
            async with asyncio.timeout(self._seconds_max):
                found = await self._threads.run(self._look_at, pngs)
        except TimeoutError as late:
            raise NotEvaluable(
                f"an encoder looks at {len(pngs)} pictures for more than {self._seconds_max:g} s",
                reason="ENCODER_FAILED",
                hint="the operator can restart the server, name another encoder, or allow more "
                "time (limits.canary_scoring_seconds_max)",
            ) from late
        for side, look in found.items():
            self.looks.setdefault(side, {})[cell.prompt, self._places[cell.seed]] = look
        self.drawn[cell.prompt, cell.seed] = {
            side: sha256_bytes(png) for side, png in pngs.items() if png is not None
        }
        total = len(grid.prompts) * len(grid.seeds)
        await self._tell(CellDrawn(cell=cell, pictures=pictures))
        await self._tell(Progress(phase=Phase.DRAWING, done=len(self.drawn), total=total))

    def _look_at(self, pngs: Mapping[Side, bytes | None]) -> Mapping[Side, Look]:
        for side in _FILED_SIDES:
            if png := pngs.get(side):
                self._blobs.put_bytes(png)
        size = (self._plan.grid.width, self._plan.grid.height)
        return look_at(pngs, size=size, encoders=self._encoders)


class _Turns:
    """One at a time for each key: who asks for the same thing waits, and finds it done."""

    def __init__(self) -> None:
        self._locks: dict[Digest, asyncio.Lock] = {}
        self._users: Counter[Digest] = Counter()

    @asynccontextmanager
    async def one(self, key: Digest) -> AsyncIterator[None]:
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


def _references(given: Pictures, *, encoders: Encoders) -> Mapping[str, Vectors] | None:
    if given.vectors or not given.pixels:
        return given.vectors or None
    return encoders.embed(given.pixels)


def _training(given: Pictures, *, encoders: Encoders) -> Vectors | NotChecked | None:
    if given.pixels:
        return look_at_training(given.pixels, encoders=encoders)
    if given.digests and not given.vectors:
        return NotChecked(reason=Unchecked.ENCODER_CHANGED)
    return given.vectors.get("copy")


def _told(report: Report, *, created: bool) -> Judged:
    content = to_bytes(report)
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
                of=one.of,
            )
            for one in report.scores
        ),
        verdict=report.verdict,
        reasons=report.reasons,
        report=content,
        report_digest=str(sha256_bytes(content)),
        created=created,
    )
