# SPDX-License-Identifier: Apache-2.0
"""What somebody sees is what there would be, had nothing of what is hidden ever happened."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from tabard_registry import EVERYTHING, AdapterName, AdapterRef, Grants, RegistryError, Role, State
from tabard_registry.checkpoint import Checkpoints
from tabard_registry.state.dependents import dependents_of
from tabard_registry.state.sight import hidden_from, namespaces_needed, seen_by, told_to
from tests.registry.fakes import MemoryStore, small_manifest
from tests.registry.private_logs import (
    BEGINNING,
    CLOSED_MIX,
    INSIDE,
    MIX,
    NEIGHBOURS,
    OPEN_MIX,
    OUTSIDE,
    POLICY,
    PRIVATE,
    as_known_outside,
    is_hidden,
    logs,
    moved,
    published,
)
from tests.registry.random_logs import EMPTY, LINES, act, folded, token

NOBODY = Grants({})
LOG: list[list[dict[str, Any]]] = [
    BEGINNING,
    [published(OPEN_MIX), moved(CLOSED_MIX, "promote", "beta")],
    [moved(OPEN_MIX, "promote", "stable"), moved(CLOSED_MIX, "promote", "stable")],
    [moved(OPEN_MIX, "promote", "stable"), {"type": "yank", "adapter": "guild/nothing"}],
    [published(CLOSED_MIX), act("promote", (LINES[0], "1.0.0"), "stable")],
]


@pytest.fixture
def state() -> State:
    """A state with something in a private namespace, and a recipe elsewhere that wears it."""
    return folded(LOG)[0]


def lines_of(state: State) -> dict[str, object]:
    """All release lines of a state, as plain values.

    Without what had no effect on the mix: where nobody sees the line, that belongs to no line.
    """
    return {
        str(name): (
            dict(line.by_version),
            dict(line.by_digest),
            dict(line.channels),
            [entry for entry in line.events if entry.effective or name != MIX],
        )
        for name, line in state.adapters.items()
    }


def error_of(question: Any, *, name: str) -> tuple[object, ...]:
    """Everything that an error says, with a placeholder for the name that was asked for."""
    with pytest.raises(RegistryError) as caught:
        question()
    error = caught.value
    texts = (str(error), error.hint)
    return (type(error), error.reason, *(text.replace(name, "NAME") for text in texts))


@settings(max_examples=150)
@given(logs)
def test_view_is_the_state_without_what_is_hidden(log: list[list[dict[str, Any]]]) -> None:
    """Lines, releases, channels, what happened to them, and every way to come upon them."""
    whole, known = folded(log)[0], folded(as_known_outside(log))[0]

    seen = seen_by(whole, OUTSIDE)

    assert lines_of(seen) == lines_of(known)
    assert len(seen.adapters) == len(known.adapters)
    assert [str(line.name) for line in seen.adapters.lines()] == list(map(str, known.names()))
    assert list(seen.names(after="guild-a/ink")) == list(known.names(after="guild-a/ink"))
    for line in known.adapters.values():
        for release in line.releases:
            assert dependents_of(seen, release) == dependents_of(known, release)
    assert (dict(seen.keys), dict(seen.policies)) == ({}, {})


@settings(max_examples=50)
@given(logs)
def test_view_of_a_checkpoint_is_that_of_the_log(log: list[list[dict[str, Any]]]) -> None:
    """What lines wear from elsewhere is kept with the rest."""
    whole = folded(log)[0]
    checkpoints = Checkpoints(MemoryStore(), registry_id=EMPTY.registry_id)

    read = checkpoints.read(checkpoints.write(whole))

    assert lines_of(seen_by(read, OUTSIDE)) == lines_of(seen_by(whole, OUTSIDE))


@settings(max_examples=50)
@given(logs)
def test_only_what_is_seen_is_told(log: list[list[dict[str, Any]]]) -> None:
    """As it happens: the acts of a record that are for somebody, with their effects."""
    state, applied = folded([*log, [token(1, "ci", revoked=False)]])

    told = [told_to(one, state=state, grants=OUTSIDE) for one in applied]

    seen = [[one for one in record if not is_hidden(one)] for record in log]
    assert [[one.digest for one in record.record.actions] for record in told] == [
        *([one.get("digest", "") for one in record] for record in seen),
        [],
    ]
    assert all(len(one.effects) == len(one.record.actions) for one in told)


def test_tokens_are_told_to_nobody() -> None:
    """Not to an admin either: who may know asks for the list of them."""
    state, [applied] = folded([[token(1, "ci", revoked=False), {"type": "yank", "adapter": "a/b"}]])

    told = told_to(applied, state=state, grants=EVERYTHING)

    assert [action.type for action in told.record.actions] == ["yank"]
    assert told.effects == applied.effects[1:]


@pytest.mark.parametrize("grants", [EVERYTHING, INSIDE, Grants({"*": frozenset({Role.REVIEW})})])
def test_who_may_generate_sees_the_very_same(state: State, grants: Grants) -> None:
    """Nothing is made for them, and neither for anybody where nothing is private."""
    open_again = folded([*LOG, [{**POLICY, "summary": {"private": False}}]])[0]

    assert seen_by(state, grants) is state
    assert hidden_from(state, grants) is None
    assert seen_by(open_again, NOBODY) is open_again
    assert seen_by(EMPTY, NOBODY) is EMPTY


@pytest.mark.parametrize("selector", ["", "@stable", "@1.0.0", "@^1", "@sha256:" + "0" * 12])
@pytest.mark.parametrize("missing", ["guild/oak", "guild/oyl", "nowhere/oil"])
def test_private_and_missing_are_told_alike(state: State, selector: str, missing: str) -> None:
    """Class, reason, message and hint of every question are those for a name that nobody has."""
    seen = seen_by(state, OUTSIDE)
    questions = {
        "find": lambda name: seen.find(AdapterRef.parse(name + selector)),
        "resolve": lambda name: seen.resolve(AdapterRef.parse(name + selector)),
        "find_kept": lambda name: seen.find_kept(AdapterRef.parse(name + selector)),
        "adapter": lambda name: seen.adapter(AdapterName.parse(name)),
        "channel": lambda name: seen.channel(AdapterName.parse(name), channel="stable"),
    }

    for ask in questions.values():
        private = error_of(lambda ask=ask: ask(str(PRIVATE)), name=str(PRIVATE))
        nothing = error_of(lambda ask=ask: ask(missing), name=missing)
        assert private == nothing
        assert "guild/oil" not in str(private)


def test_hidden_recipe_is_no_release(state: State) -> None:
    """Neither by version, nor digest, nor channel; its neighbours in the line are as they were."""
    seen = seen_by(state, OUTSIDE)

    for selector in ("2.0.0", f"sha256:{CLOSED_MIX.digest.hex}", "beta"):
        with pytest.raises(RegistryError):
            seen.find(AdapterRef.parse(f"{MIX}@{selector}"))
    assert seen.resolve(AdapterRef.parse(f"{MIX}@stable")).digest == OPEN_MIX.digest
    texts = repr((list(seen.adapters.values()), seen.strays, seen.tokens, seen.wearers))
    assert "guild/" not in texts
    assert CLOSED_MIX.digest.hex not in texts


def test_names_beside_a_private_namespace_are_seen() -> None:
    """Those that come before and after it in the order of names, and begin like it."""
    acts = [published(small_manifest("1.0.0", adapter=name)) for name in NEIGHBOURS]

    seen = seen_by(folded([BEGINNING, acts])[0], OUTSIDE)

    assert list(seen.names(after="b")) == list(NEIGHBOURS)


def test_stack_needs_every_namespace(state: State) -> None:
    """Of a recipe that of each member too."""
    mix = state.adapters[MIX].by_digest[CLOSED_MIX.digest]

    assert namespaces_needed([mix]) == {"acme", "guild"}
    assert namespaces_needed(state.adapters[LINES[0]].releases) == {"acme"}
    assert namespaces_needed([]) == frozenset()
