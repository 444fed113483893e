# SPDX-License-Identifier: Apache-2.0
"""The demo's plot: publish, draw, promote a bad release, roll back, draw again, and more kinds.

Comes in: a connected client and the catalog. Goes out: `Told`, everything that happened, with
times. Knows nothing of folders and processes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tabard.cli.demo.catalog import Catalog, DemoRelease
from tabard.cli.output import Output
from tabard.client import Client
from tabard.history import Record
from tabard.operations import ServerStatus
from tabard.releases.acts import ChannelMove
from tabard.releases.release import Release
from tabard.result import GeneratedImage, Progress, SamplingWarning, WornRelease

IMAGES_PER_ROW = 4
STEPS = 20
GUIDANCE_SCALE = 4.0
SAMPLER = "ddim"
PAIR_WEIGHTS = (1.0, 1.0)
SAID: Mapping[str, Any] = {
    "num_inference_steps": STEPS,
    "guidance_scale": GUIDANCE_SCALE,
    "sampler": SAMPLER,
}
"""How rows are sampled, but those that leave it to the release."""
WRONG_STEPS: Mapping[str, Any] = {"sampler": SAMPLER, "timestep_spacing": "leading"}
"""Where four steps lie by the base's own configuration."""

BASE, STYLE, BAD, RESTORED, WORD, SUBJECT, PAIR, FEW, WRONG, FEW_STYLED = (
    "base",
    "style",
    "bad-release",
    "after-rollback",
    "textual-inversion",
    "dreambooth",
    "two-adapters",
    "few-steps",
    "wrong-steps",
    "few-steps-and-style",
)
PROVED = (STYLE, RESTORED)
"""Rows whose files are compared byte for byte: each image in passes of its own, others share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the grid: what was asked for, what was worn, what came back, in how long."""

    key: str
    label: str
    note: str
    prompt: str
    adapters: tuple[str, ...]
    worn: tuple[WornRelease, ...]
    images: tuple[GeneratedImage, ...]
    seconds: float
    warnings: tuple[SamplingWarning, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Everything that happened; `few_steps` is what the release of few steps declares."""

    rows: tuple[Row, ...]
    few_steps: Mapping[str, Any]
    releases: tuple[Release, ...]
    records: tuple[Record, ...]
    status: ServerStatus
    publish_seconds: dict[str, float]
    promote_seconds: dict[str, float]
    rollback_seconds: float

    def row(self, key: str) -> Row:
        """Give the row of that key."""
        return next(row for row in self.rows if row.key == key)


@dataclass(slots=True, kw_only=True)
class Story:
    """One telling of the story; `tell` runs once."""

    client: Client
    catalog: Catalog
    seed: int
    narrator: Output
    clock: Callable[[], float]
    _rows: list[Row] = field(default_factory=list)
    _releases: list[Release] = field(default_factory=list)
    _publish_seconds: dict[str, float] = field(default_factory=dict)
    _promote_seconds: dict[str, float] = field(default_factory=dict)

    def tell(self) -> Told:
        """Live through it all, in order.

        Raises:
            TabardError: Whatever the server refuses.
        """
        style, successor = self.catalog.style, self.catalog.successor
        for release in self.catalog.first_releases:
            self._release(release, reason="first release")
        self._draw(BASE, label="base", note="no adapter", prompt=style.prompt)
        self._draw(
            STYLE,
            label=f"{style.short_name} {style.version}",
            note="a style, published and promoted to stable",
            adapters=(style.adapter,),
            prompt=style.prompt,
        )
        self._release(successor, reason="looks stronger")
        self._draw(
            BAD,
            label=f"{successor.short_name} {successor.version}",
            note="its bad successor while it was stable",
            adapters=(style.adapter,),
            prompt=style.prompt,
        )
        rollback_seconds = self._roll_back(style)
        self._draw(
            RESTORED,
            label="after the rollback",
            note=f"stable is {style.version} again",
            adapters=(style.adapter,),
            prompt=style.prompt,
        )
        self._draw_other_kinds()
        self._draw_few_steps()
        return Told(
            rows=tuple(self._rows),
            few_steps=self.catalog.few_steps.sampling,
            releases=tuple(self._releases),
            records=self.client.history(),
            status=self.client.status(),
            publish_seconds=self._publish_seconds,
            promote_seconds=self._promote_seconds,
            rollback_seconds=rollback_seconds,
        )

    def _draw_other_kinds(self) -> None:
        style, word, subject = self.catalog.style, self.catalog.word, self.catalog.subject
        self._draw(
            WORD,
            label=f"{word.short_name} {word.version}",
            note=f"textual inversion: “{word.prompt}”",
            adapters=(word.adapter,),
            prompt=word.prompt,
        )
        self._draw(
            SUBJECT,
            label=f"{subject.short_name} {subject.version}",
            note=f"DreamBooth: “{subject.prompt}”",
            adapters=(subject.adapter,),
            prompt=subject.prompt,
        )
        weights = PAIR_WEIGHTS
        self._draw(
            PAIR,
            label=f"{subject.short_name} + {style.short_name}",
            note=f"both at once, weights {weights[0]:g} and {weights[1]:g}: “{subject.prompt}”",
            adapters=(f"{subject.adapter}:{weights[0]:g}", f"{style.adapter}:{weights[1]:g}"),
            prompt=subject.prompt,
        )

    def _draw_few_steps(self) -> None:
        style, few = self.catalog.style, self.catalog.few_steps
        steps = int(few.sampling["steps"]["recommended"])
        rows: tuple[tuple[str, str, str, tuple[str, ...], Mapping[str, Any]], ...] = (
            (
                FEW,
                f"{few.short_name} {few.version}",
                f"{steps} steps of {few.sampling['samplers'][0]}, as it declares: “{few.prompt}”",
                (few.adapter,),
                {},
            ),
            (
                WRONG,
                "the wrong steps",
                f"the same release, {steps} steps of {SAMPLER} where the base has them: warned of",
                (few.adapter,),
                WRONG_STEPS,
            ),
            (
                FEW_STYLED,
                f"{style.short_name} + {few.short_name}",
                f"a style that recommends {STEPS} steps, in {steps}: few steps win",
                (style.adapter, few.adapter),
                {},
            ),
        )
        for key, label, note, adapters, said in rows:
            self._draw(key, label=label, note=note, adapters=adapters, prompt=few.prompt, said=said)

    def _release(self, release: DemoRelease, *, reason: str) -> None:
        name = f"{release.adapter}@{release.version}"
        started = self.clock()
        published = self.client.publish(
            release.adapter,
            release.file,
            version=release.version,
            notes=release.notes,
            trigger_words=[release.trigger] if release.trigger else [],
            kind=release.kind,
            sampling=release.sampling,
        )
        self._publish_seconds[name] = self.clock() - started
        started = self.clock()
        move = self.client.promote(name, reason=reason)
        self._promote_seconds[name] = self.clock() - started
        self._releases.append(published.release)
        self.narrator.say(
            f"published {release.adapter} {release.version} "
            f"({release.kind.replace('_', ' ')}, {published.release.dialect}) in "
            f"{_ms(self._publish_seconds[name])}, {_moved(move)} in "
            f"{_ms(self._promote_seconds[name])}"
        )

    def _roll_back(self, style: DemoRelease) -> float:
        started = self.clock()
        reason = f"{self.catalog.successor.version} drowns the picture"
        move = self.client.rollback(style.adapter, reason=reason)
        seconds = self.clock() - started
        self.narrator.say(f"rolled back {style.adapter}, {_moved(move)}: took {_ms(seconds)}")
        return seconds

    def _draw(
        self,
        key: str,
        *,
        label: str,
        note: str,
        prompt: str,
        adapters: tuple[str, ...] = (),
        said: Mapping[str, Any] = SAID,
    ) -> None:
        started = self.clock()
        with self.narrator.progress(label, total=IMAGES_PER_ROW * STEPS) as bar:
            done: dict[int, int] = {}

            def move(progress: Progress) -> None:
                done[progress.index] = progress.step
                bar.set(sum(done.values()), total=IMAGES_PER_ROW * progress.steps)

            result = self.client.generate(
                prompt,
                adapters=adapters,
                seed=self.seed,
                num_images=IMAGES_PER_ROW,
                deterministic=key in PROVED,
                on_progress=move,
                **said,
            )
        seconds = self.clock() - started
        self._rows.append(
            Row(
                key=key,
                label=label,
                note=note,
                prompt=prompt,
                adapters=adapters,
                worn=result.worn,
                images=result.images,
                seconds=seconds,
                warnings=result.warnings,
            )
        )
        worn = " + ".join(f"{one.adapter} {one.version}" for one in result.worn) or "nothing"
        self.narrator.say(f"drew {len(result.images)} images wearing {worn} in {seconds:.1f} s")


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


def _moved(move: ChannelMove) -> str:
    before = f"{move.previous_version} → " if move.previous_version else "→ "
    return f"{move.channel} {before}{move.version}"
