# SPDX-License-Identifier: Apache-2.0
"""From refs and prompt tags to a pinned stack: each ref is resolved exactly once, on one snapshot.

In: a request and a registry snapshot. Out: releases with weights, recipes as their members, or a
violation for what is wrong with the request. An adapter that does not exist, or that nobody may be
served with, is the registry's own error.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tabard_registry import (
    AdapterName,
    AdapterRef,
    Digest,
    InvalidName,
    Release,
    State,
)
from tabard_registry.acts.permission import refuse_role
from tabard_registry.identity.roles import Role
from tabard_registry.refs.names import ByDigest
from tabard_registry.trust.servable import check_servable
from tabard_registry.trust.signatures import Verifier
from tabard_server.adapters.served_base import ServedBase
from tabard_server.admission.canaries import canary_for, is_candidate
from tabard_server.admission.controls import ControlReader
from tabard_server.admission.embeddings import refs_named
from tabard_server.engine_port.weights.strength import Controls, Strength, is_steady
from tabard_server.errors import InvalidRequest, Violation, invalid
from tabard_server.jobs.job import Job, JobSpec, Worn, WornRecipe
from tabard_server.jobs.words.controls import NOTHING_SAID, SaidControls, SaidRef, read_said
from tabard_server.jobs.words.prompt_tags import TaggedPrompt
from tabard_server.limits import Limits

_TAG_CHARS_SHOWN = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """One thing that a request wants to wear.

    Attributes:
        field: Where it stands.
        text: The ref, and what stands behind it.
        weight: Said beside it.
        controls: Likewise.
        at: Characters before it in its field.
    """

    field: str
    text: str
    weight: float | None = None
    controls: SaidControls = NOTHING_SAID
    at: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Named:
    """The same, read."""

    text: str
    ref: AdapterRef
    controls: Controls | None


class Stacker:
    """Pins stacks for one base."""

    def __init__(
        self,
        *,
        base: ServedBase,
        rank_total_max: int,
        can_merge: bool,
        limits: Limits,
        verifier: Verifier,
        controls: ControlReader,
    ) -> None:
        self.base = base
        self._can_merge = can_merge
        self._verifier = verifier
        self._controls = controls
        self._rank_total_max = rank_total_max
        self._limits = limits

    def pin(
        self,
        spec: JobSpec,
        *,
        tagged: TaggedPrompt,
        plain: Mapping[str, TaggedPrompt],
        state: State,
    ) -> tuple[Worn, ...]:
        """Resolve what a request asks to wear: adapters, tags, embeddings, in the order written.

        Args:
            spec: The request.
            tagged: Its prompt.
            plain: Its other prompts by field, which may name embeddings only.
            state: The registry's snapshot, as far as who asks may know of it.

        Raises:
            Forbidden: Who asks may not generate with one of them.
            InvalidRequest: A ref cannot be read, or the stack is not allowed.
            NotServable: The request, or a release, is for another base.
            NotFound, PreconditionFailed: The registry has no such release, or nobody may be served
                with it: yanked, quarantined, purged, not signed.
        """
        self.base.require(spec.base)
        asked = [
            *(
                _Asked(
                    field=f"adapters[{i}]", text=one.ref, weight=one.weight, controls=one.controls
                )
                for i, one in enumerate(spec.adapters)
            ),
            *(
                _Asked(field="prompt", text=text, at=at)
                for text, at in zip(tagged.refs, tagged.places, strict=True)
            ),
        ]
        texts = (tagged, *plain.values())
        odd = [*_odd_tags(tagged), *_tags_elsewhere(plain)]
        if violations := [*self._count(len(asked) + _named_count(*texts)), *odd]:
            raise InvalidRequest(tuple(violations))
        read = [self._read(one) for one in asked]
        names = [str(one.ref.adapter) for one in read]
        named = refs_named(texts, asked=[*names, *(one.text for one in read)])
        read += [self._read(_Asked(field="prompt", text=text)) for text in named]
        for one in read:
            namespace = one.ref.adapter.namespace
            refuse_role(Role.GENERATE, namespace=namespace, grants=spec.identity.grants)
        worn = tuple(w for one in read for w in self._wear(one, spec=spec, state=state))
        for each in worn:
            # Those of the members of recipes, too.
            namespace = each.release.adapter.namespace
            refuse_role(Role.GENERATE, namespace=namespace, grants=spec.identity.grants)
        if violations := [
            *self._count(len(worn)),
            *self._weights(worn),
            *_changes_over_steps(worn),
            *_twins(worn),
            *_token_clashes(worn),
            *self._room(worn),
        ]:
            raise InvalidRequest(tuple(violations))
        for needs in (each.release for each in worn):
            family, fingerprint = needs.base_family, needs.base_fingerprint
            self.base.require_for(needs, family=family, fingerprint=fingerprint)
        return worn

    def review(self, job: Job, *, state: State) -> None:
        """Look again whether everything that a job relies on may be served; any thread.

        Raises:
            PreconditionFailed: Something may not.
        """
        recipes = (recipe.release for recipe in job.recipes)
        for release in (*(worn.release for worn in job.worn), *recipes):
            check_servable(state, release, verifier=self._verifier)

    def _read(self, one: _Asked) -> _Named:
        said = read_said(one.text, place_of=one.field, at=one.at)
        if NOTHING_SAID not in (said.controls, one.controls):
            raise invalid(
                one.field,
                f"the ref {said.ref[:64]!r} has controls, and so has what stands beside it",
                reason="CONTROL_CONTRADICTED",
                hint="say them once, in the ref or beside it",
            )
        controls = one.controls if said.controls == NOTHING_SAID else said.controls
        ref = _parse(one, said=said)
        name = str(ref.adapter)
        return _Named(
            text=one.text,
            ref=ref,
            controls=self._controls.read(controls, field=one.field, adapter=name),
        )

    def _wear(self, named: _Named, *, spec: JobSpec, state: State) -> Iterator[Worn]:
        text, ref, controls = named.text, named.ref, named.controls
        release, is_canary = self._meant(text, ref=ref, spec=spec, state=state)
        check_servable(state, release, verifier=self._verifier)
        if not release.members:
            weight = weight_wanted(release, ref=ref)
            yield Worn(
                ref=text, release=release, weight=weight, controls=controls, is_canary=is_canary
            )
            return
        recipe = WornRecipe(
            release=release, weight=weight_wanted(release, ref=ref), controls=controls
        )
        for member in release.members:
            found = state.release_of(member)
            assert found is not None, "a servable recipe has its members"
            yield Worn(
                ref=text,
                release=found,
                weight=_weight_of(found, within=member.weight, recipe=recipe),
                controls=_controls_of(found, within=member.weight, recipe=recipe),
                recipe=recipe,
                is_canary=is_canary,
            )

    def _meant(
        self, text: str, *, ref: AdapterRef, spec: JobSpec, state: State
    ) -> tuple[Release, bool]:
        """Return what a ref means, and whether that is the candidate of a canary."""
        if spec.again is not None and text in spec.again.pins:
            digest, is_canary = spec.again.pins[text]
            pinned = replace(ref, selector=ByDigest(prefix=Digest.parse(digest).hex))
            release = state.resolve(pinned)
            if is_canary is None:
                is_canary = is_candidate(release, ref, state=state)
            return release, is_canary
        candidate = canary_for(spec, ref, state=state)
        return candidate or state.resolve(ref), candidate is not None

    def _count(self, adapters: int) -> Iterator[Violation]:
        most = self._limits.adapters_per_request_max
        if adapters > most:
            yield Violation(
                field="adapters",
                description=f"{adapters} adapters in one request, at most {most}",
                reason="TOO_MANY_ADAPTERS",
                hint="wear fewer (limits.adapters_per_request_max)",
            )

    def _weights(self, worn: Iterable[Worn]) -> Iterator[Violation]:
        most = self._limits.weight_abs_max
        for one in worn:
            found = one.strength
            weights = found.extremes if isinstance(found, Strength) else (found,)
            # NaN is not within either.
            if outside := [weight for weight in weights if not abs(weight) <= most]:
                yield Violation(
                    field="adapters",
                    description=f"weight {outside[0]:g} of {one.release.adapter} exceeds {most:g}",
                    reason="INVALID_WEIGHT",
                    hint=f"use -{most:g} to {most:g} (limits.weight_abs_max)",
                )
            elif one.release.kind == "textual_inversion" and one.strength != 1.0:
                yield Violation(
                    field="adapters",
                    description=f"{one.release.adapter} is a textual inversion; it has no weight",
                    reason="WEIGHT_NOT_SUPPORTED",
                    hint="leave weight and controls out; its token in the prompt is all it needs",
                )

    def _room(self, worn: Sequence[Worn]) -> Iterator[Violation]:
        """A stack that is worn merged, whole, takes no slots."""
        merged = [one for one in worn if one.release.is_merged_only]
        if merged and self._can_merge:
            return
        for one in merged:
            yield Violation(
                field="adapters",
                description=f"{one.release.adapter} is not low-rank, and this server keeps no "
                "merged copy of its base",
                reason="MERGED_NOT_SERVED",
                hint="serve with merged_copy = true, or publish an extracted LoRA of it",
            )
        total = sum(one.release.rank for one in worn)
        if total > self._rank_total_max:
            yield Violation(
                field="adapters",
                description=f"the stack has {total} ranks in all, the slots {self._rank_total_max}",
                reason="STACK_TOO_LARGE",
                hint="wear fewer adapters, or serve with a larger slot_rank_total",
            )


def weight_wanted(release: Release, *, ref: AdapterRef) -> float:
    """Return the weight that a ref says, else the one that it is served with."""
    return ref.weight if ref.is_weight_said else weight_served(release)


def weight_served(release: Release) -> float:
    """Return the weight of a release where nobody says one: what it recommends, or 1."""
    best = release.sampling.weight.recommended
    return 1.0 if best is None else best


def _weight_of(release: Release, *, within: float, recipe: WornRecipe) -> float:
    # A textual inversion is worn or not; only what has a weight takes that of the recipe as well.
    return within if release.kind == "textual_inversion" else within * recipe.weight


def _controls_of(release: Release, *, within: float, recipe: WornRecipe) -> Controls | None:
    if recipe.controls is None or release.kind == "textual_inversion":
        return None
    return recipe.controls.scaled(within)


def _parse(one: _Asked, *, said: SaidRef) -> AdapterRef:
    weight = "" if said.weight is None else f":{said.weight!r}"
    try:
        return AdapterRef.parse(f"{said.ref}{weight}", weight=one.weight)
    except InvalidName as error:
        hint = error.hint
        if one.field == "prompt" and error.reason == "INVALID_NAME":
            hint = f"write the whole name in the tag, like <lora:acme/watercolor:0.8>. {hint}"
        raise invalid(one.field, str(error), reason=error.reason, hint=hint) from error


def _named_count(*tagged: TaggedPrompt) -> int:
    """Count the embeddings that are named by a ref, before anything is looked up."""
    return len({one.name for text in tagged for one in text.embeddings if "/" in one.name})


def _odd_tags(tagged: TaggedPrompt) -> Iterator[Violation]:
    for tag in tagged.odd:
        shown = f"{tag.text[:_TAG_CHARS_SHOWN]} at character {tag.place}"
        if tag.is_whole:
            yield Violation(
                field="prompt",
                description=f"{shown} is of a kind that is not served here",
                reason="TAG_NOT_SUPPORTED",
                hint="publish it as an adapter and write <lora:namespace/name:weight>",
            )
        else:
            yield Violation(
                field="prompt",
                description=f"{shown} looks like an adapter tag and is none",
                reason="TAG_MALFORMED",
                hint="write <lora:namespace/name:weight>, or the words without '<'",
            )


def _tags_elsewhere(plain: Mapping[str, TaggedPrompt]) -> Iterator[Violation]:
    for field, text in plain.items():
        if text.refs or text.odd:
            yield Violation(
                field=field,
                description=f"{field} has adapter tags, which have no meaning there",
                reason="TAG_NOT_SUPPORTED",
                hint="move the tags into the prompt; a negative weight turns an adapter around, "
                "region=NAME behind it keeps it in a region",
            )


def _changes_over_steps(worn: Sequence[Worn]) -> Iterator[Violation]:
    """What is not low-rank is worn merged with its whole stack, everywhere and at every step."""
    merged = next((one for one in worn if one.release.is_merged_only), None)
    if merged is None:
        return
    for one in worn:
        if not is_steady(one.strength):
            yield Violation(
                field="adapters",
                description=f"{one.release.adapter} has a window, points or a region, and is worn "
                f"with {merged.release.adapter}, which is not low-rank",
                reason="CONTROL_NOT_SERVED",
                hint="leave start, end, points and region out, or publish an extracted LoRA of "
                "what is not low-rank; weights of parts and blocks are served, and regions with "
                "prompts alone",
            )


def _twins(worn: Iterable[Worn]) -> Iterator[Violation]:
    """Refuse to guess what a release line named twice should weigh.

    A recipe may combine two releases of one line: its author locked both.
    """
    first: dict[AdapterName, Worn] = {}
    for one in worn:
        other = first.setdefault(one.release.adapter, one)
        is_twin = other is not one and (one.recipe is None or one.recipe is not other.recipe)
        if is_twin:
            brought = {str(w.recipe.release) for w in (one, other) if w.recipe is not None}
            by = f" ({' and '.join(sorted(brought))} brings it)" if brought else ""
            yield Violation(
                field="adapters",
                description=f"{one.release.adapter} is asked for twice{by}",
                reason="ADAPTER_TWICE",
                hint="name it once, with the weight you want; tags in the prompt and the members "
                "of recipes count too",
            )


def _token_clashes(worn: Iterable[Worn]) -> Iterator[Violation]:
    owners: dict[tuple[str, str], Worn] = {}
    for one in worn:
        for tokens in one.release.tokens:
            key = (tokens.component, tokens.token)
            owner = owners.setdefault(key, one)
            if owner is not one:
                yield Violation(
                    field="adapters",
                    description=f"{owner.release.adapter} and {one.release.adapter} both teach "
                    f"{tokens.token!r}",
                    reason="TOKEN_CLASH",
                    hint="wear one of them in a request",
                )
