# SPDX-License-Identifier: Apache-2.0
"""The plot of `demo --release-health`: judged before it is served, and taken back by itself.

Comes in: a connected client, the catalog, a grid. Goes out: `HealthTold`. Knows nothing of folders
and processes.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from tabard.access.identity import Gate
from tabard.cli.demo.catalog import Catalog, DemoRelease
from tabard.cli.output import Output
from tabard.client import Client
from tabard.errors import FailedPrecondition, Internal
from tabard.health.canary import Canary
from tabard.health.evaluation import EvaluationProgress, EvaluationResult
from tabard.history import Record
from tabard.operations import ServerStatus
from tabard.result import GeneratedImage, GenerateResult

CHANNEL = "stable"
OVERRIDE = "on purpose, to show what a canary does"
SHOWN = 4
MEASURED = ("style", "identifiability", "broken", "drift")
"""Scores that are told on the way; the summary has all."""
_CANARY_SECONDS_MAX = 150.0
_SHAPES = ("circle", "square", "triangle", "star", "heart", "cross")
_COLOURS = ("red", "blue", "green", "yellow", "purple", "orange")
_GROUNDS = ("white", "black", "gray", "brown")


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthTold:
    """Everything that happened.

    Attributes:
        evaluation: What was measured of the successor.
        refused: What the gate said to a promotion without an override.
        canary: The canary at its end.
        record: The record that took the successor back.
        before: Images of the channel before the successor was promoted.
        after: The same images after it was taken back.
        prompts: What they are of.
        calls: Images that callers were given while the canary ran.
        seconds: Of each part.
        status: The server's.
    """

    evaluation: EvaluationResult
    refused: str
    canary: Canary
    record: Record
    before: tuple[GeneratedImage, ...]
    after: tuple[GeneratedImage, ...]
    prompts: tuple[str, ...]
    calls: int
    seconds: dict[str, float]
    status: ServerStatus


@dataclass(slots=True, kw_only=True)
class HealthStory:
    """One telling of the story; `tell` runs once."""

    client: Client
    catalog: Catalog
    grid: Path
    narrator: Output
    clock: Callable[[], float]

    def tell(self) -> HealthTold:
        """Live through it all, in order.

        Raises:
            TabardError: Whatever the server refuses.
        """
        style, successor = self.catalog.style, self.catalog.successor
        grid = json.loads(self.grid.read_text(encoding="utf-8"))
        prompts = tuple(
            one["text"].replace("{trigger}", style.trigger)
            for one in grid["prompts"]
            if not one.get("control")
        )
        self.client.put_grid(self.grid, place=_namespace(style), reason="what its styles can draw")
        self._publish(style)
        self.client.promote(_ref(style), reason="first release")
        self.client.set_policy(
            _namespace(style),
            channels={CHANNEL: Gate(require_success=True)},
            reason="what people see was judged before",
        )
        self.narrator.say(f"{CHANNEL} of {_namespace(style)} asks for a Success from now on")
        before = self._draw(style, prompts[:SHOWN], grid=grid)
        self._publish(successor)
        evaluation, evaluation_seconds = self._evaluate(successor)
        refused = self._promote_without(successor)
        self.client.promote(_ref(successor), override=OVERRIDE, reason="looks stronger")
        self.narrator.say(f"promoted with an override: “{OVERRIDE}”")
        canary, calls, canary_seconds = self._watch_canary(successor, grid=grid)
        after = self._draw(style, prompts[:SHOWN], grid=grid)
        return HealthTold(
            evaluation=evaluation,
            refused=refused,
            canary=canary,
            record=self._record(style, canary),
            before=before,
            after=after,
            prompts=prompts[:SHOWN],
            calls=calls,
            seconds={"evaluation": evaluation_seconds, "canary": canary_seconds},
            status=self.client.status(),
        )

    def _publish(self, release: DemoRelease) -> None:
        self.client.publish(
            release.adapter,
            release.file,
            version=release.version,
            notes=release.notes,
            trigger_words=[release.trigger],
            kind=release.kind,
            purpose="style",
        )
        self.narrator.say(f"published {_ref(release)}")

    def _evaluate(self, successor: DemoRelease) -> tuple[EvaluationResult, float]:
        begun_at = self.clock()
        with self.narrator.progress("evaluating", total=1) as bar:
            events = self.client.evaluate(_ref(successor), pictures=True)
            for event in events:
                if isinstance(event, EvaluationProgress):
                    bar.describe(event.phase)
                    bar.set(event.done, total=event.total)
            result = events.result()
        seconds = self.clock() - begun_at
        self.narrator.say(
            f"evaluated {_ref(successor)} against {result.started.against_version}: "
            f"{result.verdict} after {seconds:.0f} s"
        )
        for name in MEASURED:
            self.narrator.say(f"  {told_score(result, name)}")
        return result, seconds

    def _promote_without(self, successor: DemoRelease) -> str:
        """Try to promote it as if it were good; give what the gate says."""
        try:
            self.client.promote(_ref(successor), reason="looks stronger")
        except FailedPrecondition as refusal:
            self.narrator.say(f"refused: {refusal}")
            return str(refusal)
        raise Internal(
            f"{_ref(successor)} was promoted although its evaluation failed",
            reason="DEMO_FAILED",
            hint="this is a fault of Tabard; please report it",
        )

    def _watch_canary(
        self, successor: DemoRelease, *, grid: dict[str, Any]
    ) -> tuple[Canary, int, float]:
        """Let callers draw through the channel until the canary ends by itself."""
        begun_at = self.clock()
        canary = self.client.start_canary(_ref(successor), reason="watch it while people use it")
        self.narrator.say(f"its canary watches what callers draw, beside {canary.baseline_version}")
        calls = 0
        for prompt in _prompts_of_callers(successor):
            self._ask(successor.adapter, prompt, seed=calls, grid=grid)
            calls += 1
            canary = self.client.canary(_ref(successor))
            if not canary.is_open:
                break
            if self.clock() - begun_at > _CANARY_SECONDS_MAX:
                raise Internal(
                    f"the canary did not end within {_CANARY_SECONDS_MAX:.0f} s",
                    reason="DEMO_FAILED",
                    hint="see the server's log; a slow machine needs longer",
                )
        seconds = self.clock() - begun_at
        self.narrator.say(told_canary(canary))
        return canary, calls, seconds

    def _draw(
        self, style: DemoRelease, prompts: tuple[str, ...], *, grid: dict[str, Any]
    ) -> tuple[GeneratedImage, ...]:
        """Draw what the channel serves now, so that the same is drawn again later."""
        images: list[GeneratedImage] = []
        seed, versions = grid["seeds"][0], set()
        for prompt in prompts:
            result = self._ask(style.adapter, prompt, seed=seed, grid=grid, deterministic=True)
            images += result.images
            versions |= {one.version for one in result.worn}
        self.narrator.say(f"drew {len(images)} images wearing {', '.join(versions)}")
        return tuple(images)

    def _ask(
        self,
        adapter: str,
        prompt: str,
        *,
        seed: int,
        grid: dict[str, Any],
        deterministic: bool = False,
    ) -> GenerateResult:
        return self.client.generate(
            prompt,
            adapters=[adapter],
            seed=seed,
            num_inference_steps=grid["steps"],
            guidance_scale=grid["guidance_scale"],
            sampler=grid["sampler"],
            width=grid["width"],
            height=grid["height"],
            deterministic=deterministic,
        )

    def _record(self, style: DemoRelease, canary: Canary) -> Record:
        """Give the record in which the canary ended."""
        records = self.client.history(style.adapter)
        return next(record for record in records if record.seq == canary.judged_seq)


def told_score(result: EvaluationResult, name: str) -> str:
    """Say one score in a line."""
    score = next(one for one in result.scores if one.name == name)
    if not score.is_measured or score.value is None:
        return f"{name}: not checked, {score.reason}"
    if score.of is not None:
        return f"{name}: {score.value:.0f} of {score.of}: {score.reason}"
    interval = "" if score.low is None else f" [{score.low:.2f} to {score.high:.2f}]"
    before = "" if score.baseline is None else f", before {score.baseline:.2f}"
    return f"{name}: {score.value:.2f}{interval}{before}: {score.reason}"


def told_canary(canary: Canary) -> str:
    """Say what came of a canary in a line."""
    return (
        f"{canary.verdict.replace('_', ' ')} by itself: E = {canary.e_value:.0f}, "
        f"{canary.losses} of {canary.units} prompts lost; {canary.channel} is "
        f"{canary.baseline_version} again"
    )


def _prompts_of_callers(release: DemoRelease) -> tuple[str, ...]:
    """Give prompts that callers might have, each of them once."""
    words = list(product(_GROUNDS, _SHAPES, _COLOURS))
    # In big strides, so that those that follow each other differ in everything.
    order = sorted(range(len(words)), key=lambda place: place * 53 % len(words))
    return tuple(
        f"a large {colour} {shape} on a {ground} background, {release.trigger}"
        for ground, shape, colour in (words[place] for place in order)
    )


def _ref(release: DemoRelease) -> str:
    return f"{release.adapter}@{release.version}"


def _namespace(release: DemoRelease) -> str:
    return release.adapter.partition("/")[0]
