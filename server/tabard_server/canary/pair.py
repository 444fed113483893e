# SPDX-License-Identifier: Apache-2.0
"""One pair: a caller's job on a channel with a canary, and what the other release shall draw.

In: an admitted job and a snapshot. Out: the requests of the other side and of the base, with the
same noise. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tabard_registry import AdapterRef, ByChannel, InvalidName, Release, State
from tabard_registry.acts import CanaryName
from tabard_registry.release.canary import PAIR, Canary
from tabard_registry.state.canaries import open_canary
from tabard_server.jobs.job import Job, JobSpec, WantedAdapter, Worn
from tabard_server.judgement.canary.units import unit_of
from tabard_server.scheduler.claims import Priority

SEEDS_MAX = 2
"""Most images of a job that a pair looks at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A job on a channel with an open canary.

    Attributes:
        name: The canary.
        canary: As it stood when the job was admitted.
        is_candidate: Whether the job wears the candidate; else the baseline.
        other: The release that it does not wear.
        unit: What its prompt is counted as.
    """

    name: CanaryName
    canary: Canary
    is_candidate: bool
    other: Release
    unit: str

    @property
    def is_fresh(self) -> bool:
        """Whether the canary still wants this prompt."""
        pairs = [one.unit for one in self.canary.seen if one.kind == PAIR]
        return self.unit not in pairs and len(pairs) < self.canary.room(PAIR)


def sighting_of(job: Job, *, state: State) -> Sighting | None:
    """Return the canary that a job is on the channel of, or None."""
    for worn in job.worn:
        ref = _ref(worn)
        if ref is None or ref.adapter not in state.canaried:
            continue
        if not isinstance(ref.selector, ByChannel):
            continue
        line = state.adapter(ref.adapter)
        canary = open_canary(line, channel=ref.selector.channel)
        if canary is None:
            continue
        sides = (canary.terms.candidate, canary.terms.baseline)
        mine = _asked(worn).digest
        if mine in sides:
            is_candidate = mine == canary.terms.candidate
            return Sighting(
                name=CanaryName(adapter=ref.adapter, candidate=canary.terms.candidate),
                canary=canary,
                is_candidate=is_candidate,
                other=line.by_digest[sides[1] if is_candidate else sides[0]],
                unit=unit_of(job.drawing.prompt),
            )
    return None


def other_spec(sighting: Sighting, job: Job, spec: JobSpec) -> JobSpec:
    """Return what the other release is asked for, with the same seeds, behind everybody else."""
    mine = sighting.canary.terms
    own = mine.candidate if sighting.is_candidate else mine.baseline
    stack = tuple(
        _exact(sighting.other if release.digest == own else release, weight=weight)
        for release, weight in _stack(job.worn)
    )
    return _behind(job, spec, stack=stack)


def base_spec(sighting: Sighting, job: Job, spec: JobSpec) -> JobSpec:
    """Return what the base is asked for: the same without the release line of the canary."""
    stack = tuple(
        _exact(release, weight=weight)
        for release, weight in _stack(job.worn)
        if release.adapter != sighting.name.adapter
    )
    return _behind(job, spec, stack=stack)


def _behind(job: Job, spec: JobSpec, *, stack: tuple[WantedAdapter, ...]) -> JobSpec:
    # Tags are in the stack by now, so the words that were left are asked for.
    words = {"prompt": job.drawing.prompt, "negative_prompt": job.drawing.negative_prompt}
    return JobSpec(
        wanted=replace(spec.wanted, **words),
        adapters=stack,
        seed=job.seeds[0],
        images=min(len(job.seeds), SEEDS_MAX),
        priority=Priority.BACKGROUND,
        declines_canary=True,
    )


def _stack(worn: Sequence[Worn]) -> list[tuple[Release, float]]:
    found: dict[str, tuple[Release, float]] = {}
    for one in worn:
        weight = one.recipe.weight if one.recipe else one.weight
        release = _asked(one)
        found[str(release.digest)] = (release, weight)
    return list(found.values())


def _asked(worn: Worn) -> Release:
    return worn.recipe.release if worn.recipe else worn.release


def _exact(release: Release, *, weight: float) -> WantedAdapter:
    has_weight = release.kind != "textual_inversion"
    ref = f"{release.adapter}@{release.digest}"
    return WantedAdapter(ref=ref, weight=weight if has_weight else None)


def _ref(worn: Worn) -> AdapterRef | None:
    try:
        return AdapterRef.parse(worn.ref)
    except InvalidName:
        # A tag may hold what is no ref by itself.
        return None
