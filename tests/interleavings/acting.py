# SPDX-License-Identifier: Apache-2.0
"""The acts between the requests: publishing, moving channels, withdrawing, warming, evicting.

In: acts of the script, one after another. Out: the model after each, and a complaint where the
server answered otherwise than the model says.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from tabard import TabardError
from tabard.releases.acts import ChannelMove
from tabard.releases.release import Release
from tests.interleavings.adapter_files import KINDS, FileMaker
from tests.interleavings.model import CHANNELS, Item, Line, Model
from tests.interleavings.script import Act
from tests.interleavings.stage import Stage
from tests.tally import Tally

T = TypeVar("T")


class Director:
    """Does acts, one at a time."""

    def __init__(self, stage: Stage, model: Model, *, file_maker: FileMaker, tally: Tally) -> None:
        self._stage = stage
        self._model = model
        self._file_maker = file_maker
        self._tally = tally

    async def do(self, act: Act) -> str:
        """Do an act; return what was wrong with the answer, or nothing."""
        doer: Callable[[Act], Awaitable[str]] = getattr(self, f"_{act.name}")
        return await doer(act)

    async def open_line(self, kind: str, *, name: str, seed: int) -> None:
        """Begin a release line with two releases; the second goes to every channel."""
        token = KINDS[kind].token if kind in KINDS else ""
        line = self._model.lines[name] = Line(name=name, kind=kind, token=token)
        for number in range(2):
            complaint = await self._publish(Act(name="publish", line=line, seed=seed + number))
            assert not complaint, complaint
            for channel in CHANNELS[: number + 1]:
                await self._point(line, channel=channel)

    async def open_recipes(self, name: str, *kinds: str) -> None:
        """Begin a release line of recipes that combine releases of these kinds, two by two."""
        line = self._model.lines[name] = Line(name=name, kind="recipe", token="")
        items = [self._model.lines[f"torture/{kind}-0"].items[-1] for kind in kinds]
        for pair in itertools.pairwise(items):
            members = tuple((item, 0.5) for item in pair)
            await self._publish_recipe(Act(name="publish_recipe", line=line, members=members))
        for channel in CHANNELS:
            await self._point(line, channel=channel)

    async def _point(self, line: Line, *, channel: str) -> None:
        act = Act(name="promote", line=line, item=line.items[-1], channel=channel)
        complaint = await self._promote(act)
        assert not complaint, complaint

    async def _publish(self, act: Act) -> str:
        line = _line(act)
        file = self._file_maker.make(line.kind, seed=act.seed)
        version = f"1.{len(line.items)}.0"
        words = [line.token] if line.token else []
        published = await self._stage.client.publish(
            line.name, file, version=version, trigger_words=words
        )
        self._note(published.release, line=line, file=file)
        return ""

    def _note(
        self,
        release: Release,
        *,
        line: Line,
        file: Path | None = None,
        members: tuple[tuple[Item, float], ...] = (),
    ) -> None:
        item = Item(
            line=line.name,
            version=release.version,
            digest=release.digest,
            rank=release.rank if file else 0,
            is_merged_only=bool(file) and KINDS[line.kind].is_merged_only,
            token=line.token,
            file=file,
            members=members,
        )
        self._model.publish(item, seq=self._stage.registry.seq)

    async def _publish_recipe(self, act: Act) -> str:
        line = _line(act)
        members = [f"{i.line}@{i.version}:{weight:g}" for i, weight in act.members]
        published = await self._stage.client.publish_recipe(
            line.name, members, version=f"1.{len(line.items)}.0"
        )
        self._note(published.release, line=line, members=act.members)
        return ""

    async def _promote(self, act: Act) -> str:
        item, client = _item(act), self._stage.client
        ref = f"{item.line}@{item.version}"
        move = await self._ask(client.promote(ref, channel=act.channel), item=item)
        if not isinstance(move, ChannelMove):
            return move
        if move.digest != item.digest:
            return f"promoted {item.digest}, moved to {move.digest}"
        self._model.promote(item, channel=act.channel, seq=self._stage.registry.seq)
        return ""

    async def _roll_back(self, act: Act) -> str:
        line = _line(act)
        target = self._model.target_of_rollback(line, channel=act.channel)
        try:
            move = await self._stage.client.rollback(line.name, channel=act.channel, reason="test")
        except TabardError as error:
            self._tally.count(f"act refused: {error.reason}")
            is_right = target is None and error.reason == "NOTHING_TO_ROLL_BACK"
            return "" if is_right else f"{error.reason}: {error}"
        if target is None or move.digest != target.digest:
            return f"rolled back to {move.version}, not {target.version if target else 'refused'}"
        if move.moved:
            self._model.roll_back(target, channel=act.channel, seq=self._stage.registry.seq)
        return ""

    async def _quarantine(self, act: Act) -> str:
        item = _item(act)
        await self._stage.client.quarantine(f"{item.line}@{item.version}", reason="test")
        self._model.withdraw(item, is_quarantined=True, seq=self._stage.registry.seq)
        return ""

    async def _lift(self, act: Act) -> str:
        item = _item(act)
        await self._stage.client.lift(f"{item.line}@{item.version}", reason="test")
        self._model.withdraw(item, is_quarantined=False, seq=self._stage.registry.seq)
        return ""

    async def _warm(self, act: Act) -> str:
        item = _item(act)
        found = await self._ask(self._stage.client.warm(f"{item.line}@{item.version}"), item=item)
        return found if isinstance(found, str) else ""

    async def _evict_host(self, act: Act) -> str:
        for use in self._stage.app.cache.residents():
            if use.digest.endswith(tuple("02468ace")):
                self._stage.app.cache.drop(use.digest)
        return ""

    async def _evict_slots(self, act: Act) -> str:
        self._stage.engine.empty_slots()
        return ""

    async def _ask(self, asked: Awaitable[T], *, item: Item) -> T | str:
        """Await an act on a release; return a complaint if it fails in a way that it may not."""
        refusal = self._refusal(item)
        try:
            answer = await asked
        except TabardError as error:
            self._tally.count(f"act refused: {error.reason}")
            # An empty complaint: it was rightly refused, and nothing has happened.
            is_right = error.reason == refusal
            return "" if is_right else f"{error.reason}: {error}"
        return f"was not refused for {refusal}" if refusal else answer

    def _refusal(self, item: Item) -> str:
        if self._model.is_quarantined(item):
            return "RELEASE_QUARANTINED"
        members = (member for member, _ in item.members)
        return "MEMBER_NOT_SERVABLE" if any(map(self._model.is_quarantined, members)) else ""


def _line(act: Act) -> Line:
    assert act.line is not None
    return act.line


def _item(act: Act) -> Item:
    assert act.item is not None
    return act.item
