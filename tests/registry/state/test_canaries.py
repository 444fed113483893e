# SPDX-License-Identifier: Apache-2.0
"""What the steps of a canary mean."""

import random
from dataclasses import replace
from typing import Any

import pytest

from tabard_registry import AdapterName, State, sha256_bytes
from tabard_registry.log.records import Action
from tabard_registry.refs.digest import Digest
from tabard_registry.release.canary import Canary
from tabard_registry.state.canaries import CANARIES_OPEN_MAX, canary_of, open_canary
from tabard_registry.state.fold import fold
from tests.registry.canary_acts import (
    complaint,
    ended,
    observed,
    pair,
    start,
    step,
)
from tests.registry.fakes import NAME
from tests.registry.state.short_logs import (
    DIGESTS,
    act,
    publication,
    run,
    stable_of,
)

PUBLISHED = (publication("1.0.0"), publication("1.1.0"), publication("1.2.0"))
STABLE = (*PUBLISHED, act("promote", "1.0.0"))
BEGUN = (*STABLE, start())


def gates(channels: dict[str, Any]) -> Action:
    """A policy."""
    return Action(type="policy", adapter="acme", summary={"channels": channels})


BY_ITSELF = gates({"stable": {"promote_on_success": True}})
REPLACED = (*STABLE, act("promote", "1.1.0"))
PROMOTED = (*REPLACED, start(shares=()))


def canary_in(state: State, version: str = "1.1.0") -> Canary:
    """The canary of a version."""
    found = canary_of(state.adapters[NAME], candidate=Digest.parse(DIGESTS[version]))
    assert found is not None
    return found


def note_of(*actions: Action, **fields: Any) -> str:
    """What the fold says of the last act."""
    effect = run(*actions, **fields)[1][-1].effects[0]
    return "" if effect.effective else effect.note


@pytest.mark.parametrize(
    ("log", "note"),
    [
        ((*PUBLISHED, start()), "nothing to compare"),
        ((*STABLE, start("1.0.0", baseline="1.1.0", shares=())), "nothing to compare"),
        ((*STABLE, start(baseline="1.2.0")), "another release"),
        ((*BEGUN, start("1.2.0")), "has an open canary"),
        ((*BEGUN, ended("stopped"), start()), "had its canary"),
        ((*REPLACED, start()), "no steps"),
        ((*STABLE, act("yank", "1.1.0"), start()), "withdrawn"),
        ((*STABLE, act("quarantine", "1.0.0"), start()), "nothing to compare"),
        ((*BEGUN, step("share", share=0.25)), "not its next share"),
        ((*BEGUN, step("share", share=None)), "not its next share"),
        ((*PROMOTED, step("share", share=0.05)), "not its next share"),
        ((*BEGUN, step("wait")), "malformed"),
        ((*BEGUN, step("observe", observations=[{"kind": "vote", "unit": "u"}])), "malformed"),
        ((*BEGUN, observed(*(pair(f"{n}") for n in range(33)))), "malformed"),
        ((*BEGUN, observed(pair("a")), observed(pair("a", -0.5))), "not counted before"),
        ((*BEGUN, ended("success", on="1.0.0")), "another release"),
        ((*PROMOTED, ended("rolled_back")), "another release"),
        ((*BEGUN, ended("fine")), "malformed"),
        ((*BEGUN, ended("stopped"), observed(pair("a"))), "has ended"),
        ((*BEGUN, ended("rolled_back"), ended("success")), "has ended"),
        ((*STABLE, observed(pair("a"))), "no such canary"),
    ],
)
def test_odd_steps_change_nothing(log: tuple[Action, ...], note: str) -> None:
    """Each says why."""
    before, _ = run(*log[:-1])

    assert note in note_of(*log)
    assert run(*log)[0].adapters[NAME].canaries == before.adapters[NAME].canaries


def test_gate_is_asked_for_at_the_start() -> None:
    """As by a promotion; an override with a reason stands for it, and for what is promoted."""
    gate = Action(
        type="policy", adapter="acme", summary={"channels": {"stable": {"require_success": True}}}
    )

    assert "has no report" in note_of(*STABLE, gate, start())
    assert note_of(*STABLE, gate, start(override="the demo")) == ""
    assert note_of(*REPLACED, gate, start(shares=())) == ""


def test_unit_is_counted_once() -> None:
    """The first word on a unit stays, within one act and over many."""
    state, _ = run(
        *BEGUN,
        observed(pair("a", -0.5), pair("a", 0.5), complaint("a")),
        observed(pair("b"), pair("a", 0.9), complaint("a", is_loss=False)),
    )

    assert canary_in(state).seen == (pair("a", -0.5), complaint("a"), pair("b"))


def test_observations_are_bounded() -> None:
    """By the canary's own policy."""
    units = [observed(pair(f"{n}"), complaint(f"{n}")) for n in range(12)]

    seen = canary_in(run(*BEGUN, *units)[0]).seen

    assert [one.kind for one in seen].count("pair") == 8
    assert [one.kind for one in seen].count("complaint") == 4


def test_any_order_of_observers_gives_one_state() -> None:
    """Three replicas judge overlapping prompts: however they come, each unit is there once."""
    batches = [
        observed(*(pair(f"{n}", -0.01 * n) for n in range(first, first + 3)))
        for first in (0, 1, 2, 3, 4, 5)
    ]
    rng = random.Random(7)
    found = set()
    for _ in range(20):
        rng.shuffle(batches)
        seen = canary_in(run(*BEGUN, *batches)[0]).seen
        found.add(tuple(sorted((one.unit, one.difference) for one in seen)))

    assert found == {tuple((f"{n}", -0.01 * n) for n in range(8))}


def test_shares_are_raised_in_turn() -> None:
    """It begins unexposed."""
    steps = [step("share", share=share) for share in (0.05, 0.25, 0.5)]

    shares = [canary_in(run(*BEGUN, *steps[:n])[0]).share for n in range(4)]

    assert shares == [0.0, 0.05, 0.25, 0.5]


def test_inconclusive_holds() -> None:
    """It keeps its share, counts complaints, is never promoted, and may still be rolled back."""
    held = (*BEGUN, step("share", share=0.05), ended("inconclusive"))

    state, _ = run(*held, observed(complaint("ann")))

    canary = canary_in(state)
    assert (canary.is_open, canary.is_held, canary.share) == (True, True, 0.05)
    assert canary.seen == (complaint("ann"),)
    assert stable_of(state) == "1.0.0"
    for refused in (ended("success"), ended("inconclusive"), step("share", share=0.25)):
        assert "until people decide" in note_of(*held, refused)
    for taken in (ended("rolled_back"), ended("stopped")):
        assert note_of(*held, taken) == ""


@pytest.mark.parametrize("promotes", [True, False])
def test_inconclusive_is_never_promoted(promotes: bool) -> None:
    """Whatever follows it, in one record or in many: only people move the channel."""
    begun = (*STABLE, *([BY_ITSELF] if promotes else []), start())

    state, _ = run(*begun, ended("inconclusive"), ended("success"), observed(pair("a")))

    assert stable_of(state) == "1.0.0"
    assert canary_in(state).verdict == "inconclusive"


def test_rollback_moves_the_channel_in_its_record() -> None:
    """Of what was promoted: the record that says why is the record that moves."""
    state, applied = run(*PROMOTED, ended("rolled_back", on="1.0.0"))

    assert stable_of(state) == "1.0.0"
    assert state.adapters[NAME].channels["stable"].below == ()
    effect = applied[-1].effects[0]
    assert str(effect.previous_digest) == DIGESTS["1.1.0"]
    assert effect.note == "rolled back: E 170.5, 11 of 11 lost"
    entry = state.adapters[NAME].events[-1]
    assert (entry.type, entry.is_move, entry.digest) == ("canary", True, DIGESTS["1.0.0"])
    canary = canary_in(state)
    assert (canary.verdict, canary.figures.e_value, canary.seen) == ("rolled_back", 170.5, ())
    assert state.canaried == frozenset()


def test_rollback_of_what_was_not_promoted_moves_nothing() -> None:
    """The channel never left."""
    state, applied = run(*BEGUN, step("share", share=0.05), ended("rolled_back"))

    assert (stable_of(state), applied[-1].effects[0].previous_digest) == ("1.0.0", None)
    assert open_canary(state.adapters[NAME], channel="stable") is None


@pytest.mark.parametrize(("said", "stable"), [([BY_ITSELF], "1.1.0"), ([], "1.0.0")])
def test_success_promotes_where_the_policy_says_so(said: list[Action], stable: str) -> None:
    """As it stands at the success; and the way back is that of any promotion."""
    log = (*STABLE, start(), *said, ended("success"))

    assert stable_of(run(*log)[0]) == stable
    back = "" if said else "stable points there already"
    assert note_of(*log, act("rollback", "1.0.0")) == back


def test_every_gate_says_that_a_success_promotes() -> None:
    """One of two that a channel stands behind is not enough; nor is what was taken away."""
    other = gates({"*": {"reviews": 1}})
    taken = gates({"stable": None})

    for after in (other, taken):
        state, _ = run(*STABLE, BY_ITSELF, start(), after, ended("success"))

        assert stable_of(state) == "1.0.0"
        assert canary_in(state).verdict == "success"


def test_success_asks_the_gate_again() -> None:
    """What was rejected meanwhile does not come through by numbers."""
    gate = gates({"stable": {"reviews": 1, "promote_on_success": True}})
    log = (*STABLE, start(), gate, ended("success"))

    assert "0 of 1 reviews" in note_of(*log)
    assert canary_in(run(*log)[0]).is_open


@pytest.mark.parametrize(
    ("begun", "last"),
    [
        (BEGUN, act("promote", "1.1.0")),
        (BEGUN, act("promote", "1.2.0")),
        (PROMOTED, act("rollback", "1.0.0")),
        (BEGUN, act("yank", "1.1.0")),
        (BEGUN, act("quarantine", "1.1.0")),
        (BEGUN, act("purge", "1.1.0")),
        (BEGUN, act("yank", "1.0.0")),
    ],
)
def test_people_end_it(begun: tuple[Action, ...], last: Action) -> None:
    """A move of the channel or a withdrawal stops it, in the fold itself."""
    state, applied = run(*begun, observed(pair("a")), last, actor="bob")

    canary = canary_in(state)
    assert applied[-1].effects[0].effective
    assert (canary.is_open, canary.verdict, canary.seen) == (False, "stopped", ())
    assert canary.judged is not None
    assert (canary.judged.actor, canary.said.partition(":")[0]) == ("bob", last.type)
    assert state.canaried == frozenset()


def test_move_of_another_channel_leaves_it() -> None:
    """A canary is of its channel."""
    state, _ = run(*BEGUN, act("promote", "1.1.0", channel="beta"))

    assert canary_in(state).is_open
    assert state.canaried == {NAME}


def test_blind_vote_counts_for_the_canary() -> None:
    """Of a report that compares the same two releases; a tie and another comparison do not."""
    reports = {name: str(sha256_bytes(name.encode())) for name in ("same", "other")}
    against = {"same": DIGESTS["1.0.0"], "other": DIGESTS["1.2.0"]}
    told = [
        replace(
            act("evidence", "1.1.0"),
            summary={
                "kind": "report",
                "document": document,
                "verdict": "Success",
                "against": against[name],
            },
        )
        for name, document in reports.items()
    ]

    def vote(pair_name: str, choice: str, report: str) -> Action:
        said = {"pair": pair_name, "choice": choice, "evidence": reports[report]}
        return replace(act("vote", "1.1.0"), summary=said)

    state, _ = run(
        *STABLE,
        *told,
        vote("before", "stable", "same"),
        start(),
        vote("a", "stable", "same"),
        vote("b", "candidate", "same"),
        vote("c", "tie", "same"),
        vote("d", "stable", "other"),
    )

    seen = canary_in(state).seen
    assert [(one.kind, one.unit, one.is_loss) for one in seen] == [
        ("vote", "a", True),
        ("vote", "b", False),
    ]


def test_open_canaries_are_bounded() -> None:
    """In the whole registry: every server follows each of them."""
    state, _ = run(*STABLE)
    others = frozenset(AdapterName(NAME.namespace, f"line-{n}") for n in range(CANARIES_OPEN_MAX))
    _, applied = run(start())
    record = replace(applied[0].record, seq=state.seq + 1)

    crowded = replace(state, canaried=others)
    _, found = fold(crowded, [(record, sha256_bytes(b"next"))])

    assert "canaries are open" in found[0].effects[0].note
