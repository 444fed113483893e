# SPDX-License-Identifier: Apache-2.0
"""Words of a release, amended: what is shown changes, its manifest and every picture stay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tabard_registry.acts.act import Act, Acted, Plan, acted, action_on
from tabard_registry.acts.standing import refuse_inexact
from tabard_registry.errors import InvalidField
from tabard_registry.log.records import Action
from tabard_registry.refs.names import AdapterRef
from tabard_registry.release.release import Release
from tabard_registry.release.words import WORDS, Words
from tabard_registry.state.state import State

Amendment = Mapping[str, str | Sequence[str]]
"""Words that shall be other ones, by name, like `notes`; those of `release.words.WORDS`."""


def edit(ref: AdapterRef, *, words: Amendment) -> Act[Acted[Release]]:
    """Plan to amend the words of the one release that an exact ref names.

    Args:
        ref: The release, however it stands.
        words: Those that change; an empty one is taken away.

    Raises:
        InvalidField: There is nothing to change, or a word cannot be taken.
    """
    refuse_inexact(ref)
    if not words or words.keys() - set(WORDS):
        raise InvalidField(
            "nothing is said that could be amended",
            reason="FIELD_REQUIRED",
            hint=f"Say one of: {', '.join(WORDS)}.",
        )
    said = {name: tuple(one) if name == "trigger_words" else one for name, one in words.items()}
    Words(**said).check()  # type: ignore[arg-type]
    written = {name: list(one) if isinstance(one, tuple) else one for name, one in said.items()}

    def plan(state: State) -> Plan:
        release = state.find(ref)
        if all(getattr(release, name) == one for name, one in said.items()):
            return Plan(action=None)
        return Plan(action=replace(action_on("edit", release), summary=written))

    def is_same(found: Action) -> bool:
        return (found.type, found.adapter) == ("edit", str(ref.adapter)) and (
            dict(found.summary) == written
        )

    return Act(plan=plan, is_same=is_same, answer=acted(lambda state: state.find(ref)))
