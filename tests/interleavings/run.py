# SPDX-License-Identifier: Apache-2.0
"""One run: a script played on a stage, every answer reviewed, everything counted at the end.

In: a seed and how many actions. Out: a tally, or a failure that says how to see it again.
"""

from __future__ import annotations

import asyncio
import math
import random
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.bases import make_tiny_base
from tests.interleavings.acting import Director
from tests.interleavings.adapter_files import KINDS, FileMaker
from tests.interleavings.checks import check_quiet, settle_down
from tests.interleavings.judge import Judge
from tests.interleavings.model import Model
from tests.interleavings.players import Told, play
from tests.interleavings.review import Review
from tests.interleavings.script import GROUNDS, Act, Draw, Ground, Script
from tests.interleavings.stage import Stage, on_stage
from tests.tally import Tally

STREAMS_MAX = 16
UNREVIEWED_MAX = 48
COMPLAINTS_MAX = 5
WEIGHINGS = 10
FAREWELLS = 12
BARE = Draw(
    prompt="a red circle",
    negative_prompt="",
    refs=(),
    seed=1,
    steps=4,
    guidance_scale=3.0,
    width=32,
    height=32,
    sampler="",
    is_deterministic=True,
)
"""The request that tells whether the base is what it was, by the noisiest sampler that it has."""

Trace = Callable[[str], None]


class RunFailed(AssertionError):
    """A run broke a promise; the message says which, and how to see it again."""

    def __init__(
        self, seed: int, complaints: list[str], *, actions: int, family: str, tally: Tally
    ) -> None:
        told = "\n  ".join(complaints[:COMPLAINTS_MAX])
        super().__init__(
            f"seed {seed}:\n  {told}\nagain with: "
            f"python -m tests.interleavings --base {family} --actions {actions} --seed {seed} "
            "--trace"
        )
        self.seed = seed
        self.complaints = complaints
        self.tally = tally


class Run:
    """Plays a script. Make it within a running event loop."""

    def __init__(
        self,
        stage: Stage,
        *,
        seed: int,
        ground: Ground,
        file_maker: FileMaker,
        judge: Judge,
        trace: Trace,
    ) -> None:
        self._stage = stage
        self._bare = replace(BARE, sampler=ground.noisy)
        self._trace = trace
        self.tally = Tally()
        self.complaints: list[str] = []
        self._dice = random.Random(seed)
        self._model = Model()
        self._script = Script(dice=self._dice, model=self._model, ground=ground)
        self._director = Director(stage, self._model, file_maker=file_maker, tally=self.tally)
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="judge")
        self._review = Review(self._model, judge=judge, executor=self._executor, tally=self.tally)
        self._streams = asyncio.Semaphore(STREAMS_MAX)
        self._acting = asyncio.Lock()
        self._games: set[asyncio.Task[None]] = set()

    async def play(self, actions: int, *, seconds_max: float) -> None:
        """Play so many actions; stop early when a promise is broken, or the time is over."""
        asyncio.get_running_loop().set_exception_handler(self._hear)
        try:
            await self._open()
            fingerprint, before = self._stage.fingerprint(), await self._draw(0, self._bare)
            objects = self._stage.parameter_ids()
            for number in range(1, actions + 1):
                if self.complaints or self.tally.seconds > seconds_max:
                    break
                await self._take(number)
                if number % max(1, min(500, actions // WEIGHINGS)) == 0:
                    self.tally.weigh()
            await self._finish(actions)
            after = await self._draw(actions, self._bare)
            # A bare image that was not drawn is a complaint already, and no reason to stop here.
            if [one.content for one in before.images] != [one.content for one in after.images]:
                self.complaints.append("the bare base draws another file than at the beginning")
            if (fingerprint, objects) != (self._stage.fingerprint(), self._stage.parameter_ids()):
                self.complaints.append("parameters of the base are not what they were")
        finally:
            self._executor.shutdown()

    def _hear(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Nothing may fail with nobody to hear of it."""
        self.complaints.append(f"unheard: {context['message']} {context.get('exception')!r}")

    async def _open(self) -> None:
        """Publish two releases of every kind, and two recipes."""
        for kind, told in KINDS.items():
            for number in range(told.lines):
                name, seed = f"torture/{kind}-{number}", 1000 * len(self._model.lines)
                await self._director.open_line(kind, name=name, seed=seed)
        await self._director.open_recipes("torture/recipe", "lora", "text", "dora")

    async def _take(self, number: int) -> None:
        action = self._script.next()
        self.tally.count("actions")
        if isinstance(action, Act):
            self._trace(f"{number} {action}")
            self.tally.count(f"act: {action.name}")
            async with self._acting:
                complaint = await self._director.do(action)
            if complaint:
                self.complaints.append(f"action {number}, {action}: {complaint}")
            return
        for drawn in action:
            self._trace(f"{number} {drawn}")
            await self._streams.acquire()
            self._begin(number, drawn)
        while len(self._games) > UNREVIEWED_MAX:
            await asyncio.wait(self._games, return_when=asyncio.FIRST_COMPLETED)
        if self._dice.random() < 0.2:
            await asyncio.sleep(self._dice.random() * 0.02)

    def _begin(self, number: int, drawn: Draw) -> None:
        game = asyncio.create_task(self._game(number, drawn), name=f"game {number}")
        self._games.add(game)
        game.add_done_callback(self._games.discard)

    async def _game(self, number: int, drawn: Draw) -> None:
        """Play one request to its end; then wait for the act that it may have met."""
        self.tally.count("requests")
        try:
            told = await play(self._stage.client, drawn, number=number, seq=self._model.seq)
        finally:
            self._streams.release()
        async with self._acting:
            pass
        for complaint in await self._review.review(told):
            self._trace(f"{number} BROKEN {complaint}")
            self.complaints.append(f"action {number}, {drawn}: {complaint}")

    async def _draw(self, number: int, drawn: Draw) -> Told:
        """Draw alone, with nothing else to do."""
        told = await play(self._stage.client, drawn, number=number, seq=self._model.seq)
        complaints = await self._review.review(told)
        self.complaints += [f"at {number}, {drawn}: {complaint}" for complaint in complaints]
        return told

    async def _finish(self, actions: int) -> None:
        """Let everything end, look for what is left, and ask once more for old favourites."""
        while self._games:
            await asyncio.wait(self._games)
        await settle_down(self._stage)
        self.complaints += check_quiet(self._stage)
        for drawn in self._script.favourites()[-FAREWELLS:]:
            await self._draw(actions, drawn)


def run_script(
    seed: int,
    *,
    actions: int,
    family: str = "sd1",
    seconds_max: float = math.inf,
    trace: Trace = lambda _: None,
) -> Tally:
    """Run a seed on a base of one of the families of `GROUNDS`, and check it.

    Raises:
        RunFailed: A promise was broken.
    """
    with tempfile.TemporaryDirectory(prefix="interleavings-") as name:
        length = {"actions": actions, "seconds_max": seconds_max}
        return asyncio.run(_run(Path(name), seed=seed, family=family, trace=trace, **length))


async def _run(
    folder: Path, *, seed: int, family: str, actions: int, seconds_max: float, trace: Trace
) -> Tally:
    base = make_tiny_base(folder / "base", family=family)
    files, packed = folder / "files", folder / "packed"
    files.mkdir()
    packed.mkdir()
    file_maker = FileMaker(base, folder=files, family=family)
    judge = Judge(base, folder=packed)
    async with on_stage(base, folder=folder) as stage:
        run = Run(
            stage,
            seed=seed,
            ground=GROUNDS[family],
            file_maker=file_maker,
            judge=judge,
            trace=trace,
        )
        await run.play(actions, seconds_max=seconds_max)
    run.tally.count("rows drawn alone", judge.drawn)
    if run.complaints:
        raise RunFailed(seed, run.complaints, actions=actions, family=family, tally=run.tally)
    return run.tally
