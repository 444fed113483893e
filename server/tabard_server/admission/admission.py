# SPDX-License-Identifier: Apache-2.0
"""Admission: a request becomes a job, or is told everything that is wrong with it.

In: a request and the registry's snapshot of this moment. Out: a job whose releases, seeds and
numbers are pinned for good. Does no I/O; runs in one thread, which long prompts may hold up.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from tabard_registry import RegistryError, State
from tabard_registry.acts.permission import refuse_role
from tabard_registry.identity.identity import Identity
from tabard_registry.identity.roles import Role
from tabard_registry.state.sight import namespaces_needed
from tabard_server.admission.bounds.numbers import DRAWN_SEED_MAX, Bounds, images_of
from tabard_server.admission.controls import check_windows
from tabard_server.admission.declared import DeclaredSampling
from tabard_server.admission.embeddings import put_words, unheeded
from tabard_server.admission.pictures import NO_PICTURE, PictureReading
from tabard_server.admission.prompts import PromptChecker
from tabard_server.admission.regions.reader import RegionReader
from tabard_server.admission.stack import Stacker
from tabard_server.admission.triggers import put_triggers, refuse_trigger, under_prompt
from tabard_server.admission.walks import WalkReader
from tabard_server.engine_port.drawing import WantedDrawing
from tabard_server.errors import InvalidRequest, OutOfTime, ServerError, Violation
from tabard_server.jobs.job import Job, JobSpec, Worn
from tabard_server.jobs.words.prompt_tags import TaggedPrompt, read_tags
from tabard_server.limits import Limits


class Admission:
    """Makes jobs of requests, one at a time and in their order."""

    def __init__(
        self,
        *,
        bounds: Bounds,
        stacker: Stacker,
        prompts: PromptChecker,
        walks: WalkReader,
        declared: DeclaredSampling,
        regions: RegionReader,
        limits: Limits,
        shows_previews: bool = True,
        clock: Callable[[], float],
        new_id: Callable[[], str],
        draw_seed: Callable[[int], int],
    ) -> None:
        """Take the checkers and the sources of time, ids and seeds.

        Args:
            bounds: Checks numbers.
            stacker: Pins stacks.
            prompts: Checks words.
            walks: Reads how steps lie.
            declared: Reads how releases want to be sampled.
            regions: Reads the parts of a picture.
            limits: The bounds of this server.
            shows_previews: Whether callers may see unfinished images.
            clock: Monotonic seconds.
            new_id: Returns a fresh job id.
            draw_seed: Returns a number from 0 to its argument.
        """
        self._bounds = bounds
        self._stacker = stacker
        self._prompts = prompts
        self._walks = walks
        self._declared = declared
        self._regions = regions
        self._limits = limits
        self._shows_previews = shows_previews
        self._clock = clock
        self._new_id = new_id
        self._draw_seed = draw_seed
        self._tickets = itertools.count(1)

    def admit(self, spec: JobSpec, *, state: State, reading: PictureReading = NO_PICTURE) -> Job:
        """Check a request and pin it.

        Who asks for a channel is not refused because of what is tried there: they are served what
        it points to.

        Args:
            spec: The request.
            state: The registry's snapshot.
            reading: What its picture files came to.

        Raises:
            InvalidRequest: Fields are wrong; it lists them.
            OutOfTime: The deadline passed or is too near.
            NotServable: A release is for another base.
            NotFound, PreconditionFailed: A ref resolves to nothing, or to a yanked release.
        """
        if spec.again is not None and spec.again.seed is not None:
            spec = replace(spec, seed=spec.again.seed)
        try:
            return self._admit(spec, state=state, reading=reading)
        except (ServerError, RegistryError):
            if spec.declines_canary or not state.canaried:
                raise
        return self._admit(replace(spec, declines_canary=True), state=state, reading=reading)

    def review(self, job: Job, *, state: State) -> None:
        """Refuse a job whose releases were withdrawn while it was admitted on an older snapshot.

        Raises:
            PreconditionFailed: Nobody may be served with one of them any more.
        """
        if state.seq != job.registry_seq:
            self._stacker.review(job, state=state)

    def require_generate(self, job: Job, *, identity: Identity) -> None:
        """Refuse who may not, or not any more, generate with what a job wears.

        Raises:
            Forbidden: They lack the role in a namespace of it.
        """
        releases = [worn.release for worn in job.worn]
        releases += [recipe.release for recipe in job.recipes]
        for namespace in sorted(namespaces_needed(releases)):
            refuse_role(Role.GENERATE, namespace=namespace, grants=identity.grants)

    def _admit(self, spec: JobSpec, *, state: State, reading: PictureReading) -> Job:
        now, wanted = self._clock(), spec.wanted
        self._check_deadline(spec)
        tagged, plain = read_tags(wanted.prompt), _plain_texts(wanted)
        violations = self._bounds.check(spec, picture_size=reading.size)
        violations += self._regions.check(wanted.regions)
        style, style_violations = self._prompts.style_of(wanted)
        violations += [*reading.violations, *style_violations]
        violations += self._prompts.check_text(wanted)
        _refuse(violations)
        sampler, walk = self._walks.read(wanted)
        worn = self._stacker.pin(spec, tagged=tagged, plain=plain, state=state)
        filled, warnings = self._declared.heed(wanted, worn=worn, policies=state.policies)
        if filled != wanted:
            wanted = filled
            sampler, walk = self._walks.read(wanted)
            _refuse(self._bounds.check(replace(spec, wanted=wanted), picture_size=reading.size))
        words = _plain_words(plain, worn=worn)
        apart = {one.name for one in wanted.regions if one.prompt is not None}
        prompt, away, put_in = put_triggers(
            put_words(tagged, worn=worn, field="prompt"),
            away=words["negative_prompt"],
            worn=under_prompt(worn, apart=apart),
            is_auto=wanted.auto_trigger,
            syntax=style.syntax,
        )
        drawing = self._bounds.draw(
            wanted,
            prompt=prompt,
            negative_prompt=away,
            style=style,
            sampler=sampler,
            walk=walk,
            picture=reading.picture,
            regions=self._regions.read(
                wanted.regions,
                worn=worn,
                masks=reading.masks,
                prompt=prompt,
                words=words,
                size=self._bounds.size_of(wanted, reading.size),
            ),
        )
        _refuse(self._bounds.check_parts(drawing))
        check_windows(worn, drawing=drawing)
        read = self._prompts.read_words(drawing, worn=worn, may_lack_words=spec.may_lack_words)
        _refuse(read.violations)
        warnings += (*read.warnings, *unheeded(drawing, worn=worn, away=read.away))
        first = self._draw_seed(DRAWN_SEED_MAX) if spec.seed is None else spec.seed
        return Job(
            id=(spec.again and spec.again.job_id) or self._new_id(),
            ticket=next(self._tickets),
            drawing=drawing,
            worn=worn,
            seeds=tuple(first + index for index in range(images_of(spec))),
            is_deterministic=spec.is_deterministic,
            preview_every=spec.preview_every if self._shows_previews else 0,
            registry_seq=state.seq,
            admitted_at=now,
            deadline_at=None if spec.seconds_left is None else now + spec.seconds_left,
            prompt_windows=read.windows,
            identity=spec.identity,
            tenant=spec.caller.tenant,
            priority=spec.priority,
            warnings=warnings,
            put_in=put_in,
            written=spec.written,
            base_fingerprint=self._stacker.base.fingerprint,
        )

    def _check_deadline(self, spec: JobSpec) -> None:
        left, least = spec.seconds_left, self._limits.deadline_seconds_min
        if left is not None and left < least:
            raise OutOfTime(
                f"{max(left, 0.0):.3f} s are left until the deadline, too few to begin",
                reason="DEADLINE_TOO_SHORT",
                hint=f"allow more time; under {least:g} s nothing is begun",
            )


def _plain_texts(wanted: WantedDrawing) -> dict[str, TaggedPrompt]:
    """Return the prompts that have no tags, by their fields."""
    texts = {f"regions[{index}].prompt": one.prompt for index, one in enumerate(wanted.regions)}
    return {
        field: read_tags(text)
        for field, text in {"negative_prompt": wanted.negative_prompt, **texts}.items()
        if text is not None
    }


def _plain_words(plain: Mapping[str, TaggedPrompt], *, worn: Sequence[Worn]) -> dict[str, str]:
    """Return the same as they are drawn."""
    for field, text in plain.items():
        refuse_trigger(text.text, field=field)
    return {field: put_words(text, worn=worn, field=field) for field, text in plain.items()}


def _refuse(violations: list[Violation]) -> None:
    if violations:
        raise InvalidRequest(tuple(violations))
