# SPDX-License-Identifier: Apache-2.0
"""Drawing cells: all sides at once, bounded, behind everybody, each picture once."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from pathlib import Path

import pytest

from tabard_registry.evidence.grid import Grid, GridPrompt
from tabard_registry.identity.identity import ANYBODY
from tabard_server.callers.caller import Caller
from tabard_server.engine_port.errors import RowNotFinite
from tabard_server.errors import NotServing, Overloaded
from tabard_server.evaluation.cells import Cell, Side, Worn, cells_of
from tabard_server.evaluation.drawer import Asker, Drawer, Picture
from tabard_server.evaluation.picture_cache import PictureCache
from tabard_server.jobs.job import Event, ImageReady, JobSpec
from tabard_server.scheduler.claims import Priority
from tabard_server.threads import Threads

INK = Worn(digest="sha256:" + "a" * 64, adapter="acme/ink", weight=1.0)
OLD = Worn(digest="sha256:" + "b" * 64, adapter="acme/ink", weight=1.0)
SIDES = {Side.CANDIDATE: INK, Side.AGAINST: OLD, Side.BASE: Worn()}
ASKER = Asker(caller=Caller("somebody", tenant="acme"), identity=ANYBODY)


class Jobs:
    """Draws at once what it is asked for, and counts; `refuse` says what it cannot draw.

    The first wait until `meet` are open.
    """

    def __init__(
        self,
        refuse: Callable[[JobSpec], Exception | None] = lambda _spec: None,
        *,
        meet: int = 1,
    ) -> None:
        self.refuse = refuse
        self._meet = meet
        self._met = asyncio.Event()
        self.specs: list[JobSpec] = []
        self.open = 0
        self.open_most = 0

    async def generate(self, spec: JobSpec) -> AsyncGenerator[Event, None]:
        """Yield the image of a job."""
        self.open += 1
        self.open_most = max(self.open_most, self.open)
        try:
            if self.open >= self._meet:
                self._met.set()
            await self._met.wait()
            await asyncio.sleep(0)
            if error := self.refuse(spec):
                raise error
            self.specs.append(spec)
            png = f"{spec.wanted.prompt} {spec.seed} {spec.adapters}".encode()
            yield ImageReady(index=0, content=png, seed=spec.seed or 0, provenance_json="{}")
        finally:
            self.open -= 1


def grid(*, prompts: int = 2, seeds: int = 2, sides: Mapping[Side, Worn] = SIDES) -> list[Cell]:
    """Return the first cells of a small grid."""
    whole = Grid(
        name="small",
        prompts=tuple(GridPrompt(text=f"prompt {number}") for number in range(12)),
        seeds=tuple(range(seeds)),
        steps=4,
        width=64,
        height=64,
        guidance_scale=5.0,
    )
    cells = cells_of(whole, sides=sides, sampler="ddim", origin="x")
    return [cell for cell in cells if cell.prompt < prompts]


def draw(
    folder: Path, jobs: Jobs, *, cells: list[Cell], waits: list[float] | None = None
) -> list[tuple[Cell, Mapping[Side, Picture]]]:
    """Draw cells to the end; return what was told of them."""
    told: list[tuple[Cell, Mapping[Side, Picture]]] = []

    async def sleep(seconds: float) -> None:
        assert waits is not None, "nobody was to wait"
        waits.append(seconds)

    async def on_cell(cell: Cell, pictures: Mapping[Side, Picture]) -> None:
        told.append((cell, pictures))

    async def walk() -> None:
        drawer = Drawer(
            jobs.generate,
            cache=PictureCache(folder, bytes_max=1_000_000),
            threads=Threads("test", threads_max=1),
            rows_max=6,
            retry_seconds=1.0,
            sleep=sleep,
        )
        await drawer.draw(cells, asker=ASKER, on_cell=on_cell)

    asyncio.run(walk())
    return told


def test_every_side_draws_every_cell(tmp_path: Path) -> None:
    """Each cell is told once, with the picture of each side, drawn in the background."""
    jobs = Jobs()

    told = draw(tmp_path, jobs, cells=grid())

    assert sorted((cell.prompt, cell.seed) for cell, _ in told) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert all(set(pictures) == set(Side) for _, pictures in told)
    assert len(jobs.specs) == 12
    assert {spec.priority for spec in jobs.specs} == {Priority.BACKGROUND}
    assert {spec.caller for spec in jobs.specs} == {ASKER.caller}


def test_open_pictures_are_bounded(tmp_path: Path) -> None:
    """Never more are asked for at once than the setting says, and a cell is asked for whole."""
    jobs = Jobs(meet=6)

    draw(tmp_path, jobs, cells=grid(prompts=6, seeds=4))

    assert jobs.open_most == 6


def test_picture_is_drawn_once(tmp_path: Path) -> None:
    """What was drawn before is taken from the cache, and the same bytes."""
    first = draw(tmp_path, Jobs(), cells=grid())

    jobs = Jobs()
    again = draw(tmp_path, jobs, cells=grid())

    assert jobs.specs == []
    assert all(one.was_kept for _, pictures in again for one in pictures.values())
    assert _pngs(again) == _pngs(first)


def test_cut_off_evaluation_goes_on(tmp_path: Path) -> None:
    """After a server that stopped half way, only what is missing is drawn."""
    broken = Jobs(lambda spec: _stopped() if spec.wanted.prompt == "prompt 1" else None)
    with pytest.raises(NotServing):
        draw(tmp_path, broken, cells=grid())
    drawn = len(broken.specs)
    assert 0 < drawn < 12
    assert broken.open == 0

    jobs = Jobs()
    told = draw(tmp_path, jobs, cells=grid())

    assert len(jobs.specs) == 12 - drawn
    assert len(told) == 4


def test_full_server_is_waited_for(tmp_path: Path) -> None:
    """A server without room is asked again when it says, and nothing is lost."""
    refusals = [Overloaded("full", hint="wait", retry_seconds=seconds) for seconds in (3.0, None)]
    jobs, waits = Jobs(lambda _spec: refusals.pop(0) if refusals else None), list[float]()

    told = draw(tmp_path, jobs, cells=grid(), waits=waits)

    assert waits == [3.0, 1.0]
    assert len(told) == 4


def test_broken_latents_are_told(tmp_path: Path) -> None:
    """An image whose latents became NaN is no error: it is what the evaluation looks for."""
    jobs = Jobs(lambda spec: RowNotFinite("NaN", hint="") if _wears(spec, INK) else None)

    told = draw(tmp_path, jobs, cells=grid())

    assert all(pictures[Side.CANDIDATE].png is None for _, pictures in told)
    assert all(pictures[Side.BASE].png for _, pictures in told)


def test_equal_sides_are_drawn_once(tmp_path: Path) -> None:
    """A release against itself is one picture, shown on both sides."""
    cells = grid(prompts=1, seeds=1, sides={**SIDES, Side.AGAINST: INK})
    jobs = Jobs()

    ((_cell, pictures),) = draw(tmp_path, jobs, cells=cells)

    assert len(jobs.specs) == 2
    assert pictures[Side.CANDIDATE].png == pictures[Side.AGAINST].png


def test_caller_who_leaves_ends_it(tmp_path: Path) -> None:
    """A cancelled drawing leaves no job behind."""
    jobs = Jobs()

    async def walk() -> None:
        drawer = Drawer(
            jobs.generate,
            cache=PictureCache(tmp_path, bytes_max=1_000_000),
            threads=Threads("test", threads_max=1),
            rows_max=6,
            retry_seconds=1.0,
        )

        async def on_cell(_cell: Cell, _pictures: Mapping[Side, Picture]) -> None:
            drawing.cancel()

        drawing = asyncio.ensure_future(drawer.draw(grid(), asker=ASKER, on_cell=on_cell))
        with pytest.raises(asyncio.CancelledError):
            await drawing

    asyncio.run(walk())

    assert jobs.open == 0
    assert len(jobs.specs) < 12


def _pngs(told: list[tuple[Cell, Mapping[Side, Picture]]]) -> dict[str, bytes | None]:
    return {
        cell.pictures[side].key: picture.png
        for cell, pictures in told
        for side, picture in pictures.items()
    }


def _wears(spec: JobSpec, worn: Worn) -> bool:
    return any(worn.digest in one.ref for one in spec.adapters)


def _stopped() -> NotServing:
    return NotServing("stopped", hint="go elsewhere")
