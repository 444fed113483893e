# SPDX-License-Identifier: Apache-2.0
"""Recipes: releases that combine other releases, locked to their digests. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from tabard_registry.errors import InvalidField
from tabard_registry.refs.names import AdapterRef
from tabard_registry.release.manifest import MEMBERS_MAX, Manifest, Member
from tabard_registry.release.release import Release, ReleaseDraft
from tabard_registry.release.sampling import BY_AUTHOR
from tabard_registry.release.words import Words
from tabard_registry.state.state import State


def assemble_recipe(
    draft: ReleaseDraft, *, members: Sequence[AdapterRef], state: State
) -> Manifest:
    """Resolve the members once, and lock them.

    Raises:
        InvalidField: There are none, too many, two bases, or a recipe within the recipe.
        NotFound: A member is not there.
        PreconditionFailed: A member may not be served.
    """
    if draft.kind not in (None, "recipe"):
        raise _invalid(f"a release of members is a recipe, not a {draft.kind}")
    if len(members) > MEMBERS_MAX:
        raise _invalid(f"a recipe has 1 to {MEMBERS_MAX} members, not {len(members)}")
    releases = [state.resolve(ref) for ref in members]
    bases = {(one.base_family, one.base_fingerprint) for one in releases}
    if len(bases) > 1:
        raise _invalid("the members were checked against different bases")
    nested = [str(one) for one in releases if one.members]
    if nested:
        raise _invalid(f"{nested[0]} is a recipe itself; name its members")
    for one, ref in zip(releases, members, strict=True):
        if one.kind == "textual_inversion" and ref.weight != 1.0:
            raise _invalid(
                f"{one} is a textual inversion, which has no weight; leave it out",
                hint=f"Write `{one}`, without `:{ref.weight:g}`.",
            )
    words = dict.fromkeys(word for one in releases for word in one.trigger_words)
    family, fingerprint = bases.pop() if bases else ("", "")
    return Manifest(
        adapter=draft.adapter,
        version=draft.version,
        kind="recipe",
        purpose=draft.purpose,
        base_family=family,
        base_fingerprint=fingerprint,
        original=(),
        canonical=None,
        members=tuple(
            Member(adapter=one.adapter, version=one.version, digest=one.digest, weight=ref.weight)
            for one, ref in zip(releases, members, strict=True)
        ),
        rank=sum(one.rank for one in releases),
        trigger_words=draft.trigger_words or tuple(words)[:32],
        dialect="recipe",
        notes=draft.notes,
        licence=draft.licence,
        title=draft.title,
        parent=draft.parent,
        sampling=draft.sampling.said_by(BY_AUTHOR),
    )


def manifest_of(recipe: Release) -> Manifest:
    """Write the manifest of a recipe from what the log says of it: it holds nothing else.

    Its digest is the recipe's, or somebody changed the log. Words that were amended are not in it.
    """
    words = recipe.published_words or Words.of(recipe)
    return Manifest(
        adapter=recipe.adapter,
        version=recipe.version,
        kind="recipe",
        purpose=words.purpose,
        base_family=recipe.base_family,
        base_fingerprint=recipe.base_fingerprint,
        original=(),
        canonical=None,
        members=recipe.members,
        rank=recipe.rank,
        trigger_words=words.trigger_words,
        dialect=recipe.dialect,
        notes=words.notes,
        licence=words.licence,
        title=words.title,
        parent=recipe.parent,
        sampling=recipe.sampling,
    )


def _invalid(
    message: str,
    *,
    hint: str = "Name releases of one base, each with its weight: `acme/ink@1.2.0:0.6`.",
) -> InvalidField:
    return InvalidField(message, reason="FIELD_INVALID", hint=hint)
