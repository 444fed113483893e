# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tabard_registry import AdapterName, Proof, Record, sha256_bytes
from tabard_registry.log.records import Action
from tabard_registry.release.release import publication_of
from tabard_registry.state.fold import fold
from tests.registry.described_logs import KEY
from tests.registry.fakes import NAME
from tests.registry.log.json_values import json_values
from tests.registry.state.short_logs import (
    EMPTY,
    act,
    good_actions,
    odd_actions,
    publication,
    run,
    stable_of,
)


@given(st.lists(odd_actions | json_values.map(Action.from_json), max_size=8))
def test_fold_takes_any_action(actions: list[Action]) -> None:
    """No action makes the fold raise; what has no effect says why."""
    _, applied = run(*actions)

    for record in applied:
        assert all(effect.effective != bool(effect.note) for effect in record.effects)


@given(st.lists(good_actions, max_size=20), st.integers(0, 20))
def test_fold_in_parts_is_fold(actions: list[Action], cut: int) -> None:
    """Folding in two parts gives the state and effects of folding at once."""
    whole, applied = run(*actions)
    records = [(a.record, sha256_bytes(a.record.id.encode())) for a in applied]

    half, first = fold(EMPTY, records[:cut])
    both, second = fold(half, records[cut:])

    assert (both, first + second) == (whole, applied)


def test_wrong_expectation_has_no_effect() -> None:
    """A record whose expectation does not hold changes nothing."""
    state, applied = run(
        publication("1.0.0"),
        publication("1.1.0"),
        act("promote", "1.0.0"),
        act("promote", "1.1.0"),
        expect={"acme/ink@stable": None},
    )

    assert stable_of(state) == "1.0.0"
    assert "expected acme/ink@stable at nothing" in applied[-1].effects[0].note


def test_request_acts_once() -> None:
    """A second record with a request id that has acted changes nothing."""
    first = Record(
        seq=1,
        prev=sha256_bytes(b""),
        id="a",
        time="t",
        actions=(replace(publication("1.0.0"), request_id="r"),),
    )
    second = replace(first, seq=2, id="b", actions=(replace(publication("1.1.0"), request_id="r"),))

    state, applied = fold(EMPTY, [(first, sha256_bytes(b"1")), (second, sha256_bytes(b"2"))])

    assert applied[1].effects[0].note == "request r acted in record 1"
    assert len(state.adapters[NAME].by_version) == 1


def test_newer_action_stays_visible() -> None:
    """An action of a newer Tabard is a no-op with its name."""
    _, applied = run(Action(type="embroider", adapter=str(NAME)))

    assert "embroider" in applied[0].effects[0].note


def test_other_adapters_are_untouched() -> None:
    """An act on one adapter leaves another one as it was."""
    other = AdapterName("acme", "oil")
    first, _ = run(replace(publication("1.0.0"), adapter=str(other)), publication("1.0.0"))
    second, _ = run(
        replace(publication("1.0.0"), adapter=str(other)),
        publication("1.0.0"),
        act("promote", "1.0.0"),
    )

    assert first.adapters[other] == second.adapters[other]


def test_unproven_acts_are_void_where_that_counts() -> None:
    """From the act on that asks for it: every act in the namespace, policy and key included."""
    asked = Action(type="policy", adapter="acme", summary={"require_identity": True})
    taken_back = Action(type="policy", adapter="acme", summary={"require_identity": False})
    acts = [
        publication("1.0.0"),
        asked,
        act("promote", "1.0.0"),
        publication("1.1.0"),
        taken_back,
        Action(type="key", adapter="acme", summary=KEY.to_json()),
        replace(act("promote", "1.0.0"), proof=Proof.JWT),
        replace(taken_back, proof=Proof.CERTIFICATE),
        publication("1.1.0"),
    ]

    state, applied = run(*acts)

    effects = [one.effects[0] for one in applied]
    assert [one.effective for one in effects] == [True, True, *[False] * 4, True, True, True]
    assert {one.note for one in effects[2:6]} == {
        "nobody checked who 'ann' is, and acme asks for that"
    }
    assert (state.keys, stable_of(state)) == ({}, "1.0.0")


def test_other_namespaces_take_unproven_acts() -> None:
    """A policy is that of one namespace."""
    asked = Action(type="policy", adapter="guild", summary={"require_identity": True})

    state, _ = run(asked, publication("1.0.0"), act("promote", "1.0.0"))

    assert stable_of(state) == "1.0.0"


def test_who_published_stays_known() -> None:
    """The publication itself tells it, as it has no other entry."""
    state, _ = run(replace(publication("1.0.0"), proof=Proof.TOKEN, on_behalf_of="bob"))

    [release] = state.adapters[NAME].releases
    entry = publication_of(release)
    assert (entry.proof, entry.on_behalf_of) == (Proof.TOKEN, "bob")
