# SPDX-License-Identifier: Apache-2.0
"""What the registry must say at every log position, from the acts that were acknowledged.

In: acts, each with the position it was acknowledged at. Out: what a request means there, or why it
is refused. Plain lists, so that it shares no code with what it judges.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tabard_server.engine_port.weights.strength import Controls, Point, Strength, Weight, is_steady
from tests.interleavings.adapter_files import SLOT_RANKS

CHANNELS = ("stable", "canary")


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One published release.

    Attributes:
        line: Its adapter.
        version: Its version.
        digest: Its digest.
        rank: Its rank.
        is_merged_only: Whether it is worn without slots, and with it the whole stack.
        token: The placeholder that it teaches, or nothing.
        file: What was published; none for a recipe.
        members: What a recipe is made of, with weights.
    """

    line: str
    version: str
    digest: str
    rank: int
    is_merged_only: bool = False
    token: str = ""
    file: Path | None = None
    members: tuple[tuple[Item, float], ...] = ()


@dataclass(slots=True, kw_only=True)
class History:
    """A value that changes with the log: what it was at any position."""

    seqs: list[int] = field(default_factory=list)
    values: list[object] = field(default_factory=list)

    def put(self, seq: int, value: object) -> None:
        self.seqs.append(seq)
        self.values.append(value)

    def at(self, seq: int) -> object:
        place = bisect_right(self.seqs, seq)
        return self.values[place - 1] if place else None


@dataclass(slots=True, kw_only=True)
class Line:
    """One adapter: its releases in their order, its channels and what lies below them."""

    name: str
    kind: str
    token: str
    items: list[Item] = field(default_factory=list)
    below: dict[str, list[Item]] = field(default_factory=dict)
    channels: dict[str, History] = field(default_factory=dict)

    def pointer(self, channel: str) -> Item | None:
        """What a channel points to now."""
        found = self.channels[channel].values[-1] if channel in self.channels else None
        assert found is None or isinstance(found, Item)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Ref:
    """What a request asks to wear: a release of a line by channel, version or digest.

    Attributes:
        said: What stands behind its weight.
        controls: What that means; None: nothing stands there.
    """

    line: str
    selector: str
    weight: float
    item: Item | None = None
    said: str = ""
    controls: Controls | None = None

    def __str__(self) -> str:
        return f"{self.line}{self.selector}:{self.weight:g}{self.said}"


Stack = tuple[tuple[Item, Weight], ...]
"""Releases as they are worn, members of recipes in their place."""


class Model:
    """All lines, and which releases were withdrawn when."""

    def __init__(self) -> None:
        self.lines: dict[str, Line] = {}
        self.seq = 0
        self._quarantines: dict[str, History] = {}

    def publish(self, item: Item, *, seq: int) -> None:
        """Note a release."""
        self.lines[item.line].items.append(item)
        self.seq = seq

    def promote(self, item: Item, *, channel: str, seq: int) -> None:
        """Note a promotion."""
        line = self.lines[item.line]
        found = line.pointer(channel)
        if found is not None and found is not item:
            line.below.setdefault(channel, []).append(found)
        line.channels.setdefault(channel, History()).put(seq, item)
        self.seq = seq

    def target_of_rollback(self, line: Line, *, channel: str) -> Item | None:
        """What a rollback must return to; none: it must be refused."""
        below = reversed(line.below.get(channel, []))
        return next((item for item in below if not self.is_quarantined(item)), None)

    def roll_back(self, item: Item, *, channel: str, seq: int) -> None:
        """Note a rollback."""
        line = self.lines[item.line]
        below = line.below[channel]
        while below.pop() is not item:
            pass
        line.channels[channel].put(seq, item)
        self.seq = seq

    def withdraw(self, item: Item, *, is_quarantined: bool, seq: int) -> None:
        """Note a quarantine, or its end."""
        self._quarantines.setdefault(item.digest, History()).put(seq, is_quarantined)
        self.seq = seq

    def is_quarantined(self, item: Item, *, seq: int | None = None) -> bool:
        """Whether a release is withdrawn, now or at a position."""
        known = self._quarantines.get(item.digest)
        return known is not None and bool(known.at(self.seq if seq is None else seq))

    def means(self, refs: Sequence[Ref], *, seq: int) -> Stack | frozenset[str]:
        """What a request means at a position: a stack, or the reasons it is refused for."""
        stack: list[tuple[Item, Weight]] = []
        for ref in refs:
            found = self._find(ref, seq=seq)
            if isinstance(found, str):
                return frozenset({found})
            stack.extend(_worn(found, ref=ref))
        return frozenset(_unwearable(stack)) or tuple(stack)

    def _find(self, ref: Ref, *, seq: int) -> Item | str:
        item = ref.item
        if item is None:
            history = self.lines[ref.line].channels.get(ref.selector.removeprefix("@") or "stable")
            found = history.at(seq) if history else None
            if not isinstance(found, Item):
                return "CHANNEL_NOT_FOUND"
            item = found
        if self.is_quarantined(item, seq=seq):
            return "RELEASE_QUARANTINED"
        if any(self.is_quarantined(member, seq=seq) for member, _ in item.members):
            return "MEMBER_NOT_SERVABLE"
        return item


def _worn(item: Item, *, ref: Ref) -> Iterator[tuple[Item, Weight]]:
    if not item.members:
        yield item, _weight(ref.weight, ref=ref, share=1.0)
    for member, share in item.members:
        yield member, share if member.token else _weight(share * ref.weight, ref=ref, share=share)


def _weight(weight: float, *, ref: Ref, share: float) -> Weight:
    if ref.controls is None:
        return weight
    said = ref.controls
    text = said.text_encoder
    unet = tuple(Point(weight=point.weight * share, at=point.at) for point in said.unet)
    text = None if text is None else text * share
    return Strength(weight=weight, controls=replace(said, text_encoder=text, unet=unet))


def _unwearable(stack: Sequence[tuple[Item, Weight]]) -> Iterator[str]:
    is_slotted = not any(item.is_merged_only for item, _ in stack)
    changing = [weight for _, weight in stack if not is_steady(weight)]
    if changing and not is_slotted:
        yield "CONTROL_NOT_SERVED"
    if is_slotted and sum(item.rank for item, _ in stack) > SLOT_RANKS:
        yield "STACK_TOO_LARGE"
    if len({item.line for item, _ in stack}) < len(stack):
        yield "ADAPTER_TWICE"
