# SPDX-License-Identifier: Apache-2.0
"""Whether what a caller was told is right: pins, images and errors, against model and judge.

In: a `Told`, once every act that it may have met is acknowledged. Out: complaints. An image must be
that of the digests it names, and those must be what the refs meant at the position it was pinned.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import Executor

from tabard.result import Accepted, GeneratedImage
from tabard_server.engine_port.weights.strength import Strength
from tests.interleavings.judge import Judge
from tests.interleavings.model import Item, Model, Stack
from tests.interleavings.players import Told
from tests.tally import Tally

ALWAYS_ALLOWED = frozenset({"QUEUE_FULL"})
"""What tight bounds may refuse at any time."""
LATE = frozenset({"DEADLINE_EXCEEDED", "DEADLINE_TOO_SHORT", "DEADLINE_UNREACHABLE"})
"""What a deadline of the caller's own may bring."""


class Review:
    """Compares what was told with what is true."""

    def __init__(self, model: Model, *, judge: Judge, executor: Executor, tally: Tally) -> None:
        self._model = model
        self._judge = judge
        self._executor = executor
        self._tally = tally

    async def review(self, told: Told) -> list[str]:
        """Return everything that is wrong with one request."""
        stack: Stack | None = None
        complaints: list[str] = []
        if told.accepted is not None:
            means = self._model.means(told.drawn.refs, seq=told.accepted.registry_seq)
            if isinstance(means, frozenset):
                return [f"was admitted, though {sorted(means)}"]
            stack = means
            complaints += _pins(told, told.accepted, stack=stack)
            complaints += [c for image in told.images for c in _names(image, told.accepted)]
        complaints += await self._ending(told, stack)
        for image in told.images if stack is not None else ():
            assert stack is not None
            complaint = await self._on_judge(
                lambda image=image: self._judge.judge(  # type: ignore[misc]
                    told.drawn, stack, index=image.index, png=image.content
                )
            )
            self._tally.count("images compared")
            if any(isinstance(weight, Strength) for _, weight in stack):
                self._tally.count("images with controls")
            if told.drawn.parts:
                self._tally.count("images in regions")
            complaints += [f"image {image.index}: {complaint}"] if complaint else []
        if told.drawn.is_deterministic:
            self._tally.count("deterministic images", len(told.images))
        return complaints

    async def _ending(self, told: Told, stack: Stack | None) -> list[str]:
        if told.has_left:
            self._tally.count("left by their caller")
            return []
        if told.error is None:
            count = len(told.images)
            is_whole = told.is_done and count == told.drawn.images
            return [] if is_whole else [f"ended with {count} of {told.drawn.images} images"]
        reason = told.error.reason
        self._tally.count(f"failed: {reason}")
        if reason in self._allowed(told, stack):
            return []
        if stack is not None:
            alone = await self._on_judge(lambda: self._judge.failure(told.drawn, stack))
            if alone == reason:
                return []
        return [f"failed with {reason}: {told.error}"]

    def _allowed(self, told: Told, stack: Stack | None) -> frozenset[str]:
        """Return every reason that the model knows of, at any position it may have met."""
        model, reasons = self._model, set(ALWAYS_ALLOWED)
        if told.drawn.timeout_seconds:
            reasons |= LATE
        begun = told.seq if told.accepted is None else told.accepted.registry_seq
        for seq in range(begun, model.seq + 1):
            means = model.means(told.drawn.refs, seq=seq)
            if isinstance(means, frozenset) and told.accepted is None:
                reasons |= means
                if "MEMBER_NOT_SERVABLE" in means:
                    # What is withdrawn while a recipe is pinned is named itself.
                    reasons.add("RELEASE_QUARANTINED")
            if stack is not None and _is_withdrawn(told, stack, model=model, seq=seq):
                reasons.add("RELEASE_QUARANTINED")
        return frozenset(reasons)

    async def _on_judge(self, ask: object) -> str:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, ask)  # type: ignore[arg-type]


def _pins(told: Told, accepted: Accepted, *, stack: Stack) -> Iterator[str]:
    found = [(worn.digest, worn.weight, bool(worn.controls)) for worn in accepted.worn]
    expected = [
        (item.digest, weight.weight, True)
        if isinstance(weight, Strength)
        else (item.digest, weight, False)
        for item, weight in stack
    ]
    if found != expected:
        yield f"was pinned to {found}, at {accepted.registry_seq} it means {expected}"
    if accepted.registry_seq < told.seq:
        yield f"was pinned at {accepted.registry_seq}, but {told.seq} was acknowledged before"
    seeds = tuple(told.drawn.seed + index for index in range(told.drawn.images))
    if accepted.seeds != seeds:
        yield f"has seeds {accepted.seeds}, not {seeds}"


def _names(image: GeneratedImage, accepted: Accepted) -> Iterator[str]:
    """Compare what the file and the message name with what was pinned at admission."""
    pinned = [(worn.digest, worn.weight, worn.controls) for worn in accepted.worn]
    inside = json.loads(image.pil.text["tabard"])  # type: ignore[attr-defined]
    for where, document in (("message", image.provenance), ("file", inside)):
        named = [
            (worn["digest"], worn["weight"], worn.get("controls", "")) for worn in document["stack"]
        ]
        if named != pinned:
            yield f"the {where} of image {image.index} names {named}, pinned was {pinned}"


def _is_withdrawn(told: Told, stack: Stack, *, model: Model, seq: int) -> bool:
    recipes = [ref.item for ref in told.drawn.refs if ref.item is not None]
    digests = {worn.recipe.digest for worn in told.accepted.worn if worn.recipe}  # type: ignore[union-attr]
    lines = {ref.line for ref in told.drawn.refs}
    pinned: list[Item] = [item for item, _ in stack] + recipes
    pinned += [i for line in lines for i in model.lines[line].items if i.digest in digests]
    return any(model.is_quarantined(item, seq=seq) for item in pinned)
