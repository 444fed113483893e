# SPDX-License-Identifier: Apache-2.0
"""What a gate asks for, in the fold; and that a rollback never asks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tabard_registry import Record, sha256_bytes
from tabard_registry.log.records import Action
from tabard_registry.release.bounds import BOUND_NAMES, Measurement
from tabard_registry.release.gates import Gate, with_gates
from tabard_registry.release.health import CHECKS
from tabard_registry.release.keys import Policy
from tabard_registry.state.fold import fold
from tabard_registry.state.gates import missing_for
from tests.registry.random_logs import (
    LINES,
    any_actions,
    documents,
    folded,
    gating,
)
from tests.registry.random_logs import act as move
from tests.registry.random_logs import publication as publish
from tests.registry.state.short_logs import EMPTY, act, publication, run, stable_of

REPORT = str(sha256_bytes(b"report"))
EDIT = str(sha256_bytes(b"edit"))


def asks(**gate: Any) -> Action:
    """A policy on stable."""
    return Action(type="policy", adapter="acme", summary={"channels": {"stable": gate}})


def report(version: str, verdict: str, *, document: str = REPORT, **said: Any) -> Action:
    """A report on a version."""
    summary = {"kind": "report", "document": document, "verdict": verdict, **said}
    return replace(act("evidence", version), summary=summary)


def review(version: str, decision: str, *, document: str = REPORT) -> Action:
    """A review of a version."""
    summary = {"decision": decision, "evidence": document}
    return replace(act("review", version), summary=summary)


def note_of(*actions: Action) -> str:
    """What the fold says of the last act."""
    return run(*actions)[1][-1].effects[0].note


def by(who: str, *actions: Action) -> str:
    """What the fold says of the last act; reviews are by somebody, the rest by ann."""
    signed = [replace(one, actor=who if one.type == "review" else "ann") for one in actions]
    records = [
        Record(seq=n, prev=sha256_bytes(b""), id=f"i{n}", time="t", actions=(one,))
        for n, one in enumerate(signed, start=1)
    ]
    _, applied = fold(EMPTY, [(one, sha256_bytes(one.id.encode())) for one in records])
    return applied[-1].effects[0].note


def test_success_is_asked_for() -> None:
    """No report, Inconclusive and Failed do not pass; the newest one of that release counts."""
    promote = act("promote", "1.0.0")
    start = (publication("1.0.0"), publication("1.1.0"), asks(require_success=True))

    assert "it has no report" in note_of(*start, promote)
    assert "says Inconclusive" in note_of(*start, report("1.0.0", "Inconclusive"), promote)
    assert "it has no report" in note_of(*start, report("1.1.0", "Success"), promote)
    newer = report("1.0.0", "Failed", document=EDIT)
    assert "says Failed" in note_of(*start, report("1.0.0", "Success"), newer, promote)
    assert stable_of(run(*start, report("1.0.0", "Success"), promote)[0]) == "1.0.0"


def measured(style: tuple[float, float], verdict: str, **server: float) -> Action:
    """A report with figures: its verdict is what somebody's bounds made of them."""
    bounds = dict.fromkeys(BOUND_NAMES, 1.0) | {"style_min": 0.5} | server
    found = Measurement(figures={"broken": (0, 0), "style": style}, bounds=bounds)
    return report("1.0.0", verdict, measurement=found.to_json())


def test_channel_judges_by_its_own_bounds() -> None:
    """Success by laxer bounds opens no stricter channel, nor does a miss bar a laxer one."""
    promote = act("promote", "1.0.0")
    start = (publication("1.0.0"), asks(require_success=True, bounds={"style_min": 0.7}))
    lax = (publication("1.0.0"), asks(require_success=True, bounds={"style_min": 0.2}))

    refusal = note_of(*start, measured((0.6, 0.9), "Success"), promote)
    assert "says Success, and by what stable asks it is Inconclusive (style is 0.60" in refusal
    assert "it is Failed" in note_of(*start, measured((0.4, 0.6), "Success"), promote)
    assert note_of(*start, measured((0.7, 0.9), "Inconclusive"), promote) == ""
    assert note_of(*lax, measured((0.3, 0.4), "Failed"), promote) == ""


def test_bounds_that_nobody_says_are_those_of_the_server() -> None:
    """Whatever the report's own verdict was made by."""
    promote = act("promote", "1.0.0")
    start = (publication("1.0.0"), asks(require_success=True))

    assert "it is Inconclusive" in note_of(*start, measured((0.4, 0.9), "Success"), promote)
    assert note_of(*start, measured((0.4, 0.9), "Failed", style_min=0.4), promote) == ""


def test_older_report_meets_no_bounds() -> None:
    """It has no figures; where no bounds are said, its verdict counts as it did."""
    promote = act("promote", "1.0.0")
    strict = asks(require_success=True, bounds={"style_min": 0.2})
    start = (publication("1.0.0"), report("1.0.0", "Success"))

    assert "no figures to hold against style_min" in note_of(*start, strict, promote)
    assert note_of(*start, asks(require_success=True), promote) == ""


def test_all_patterns_judge_together() -> None:
    """The strictest of each bound; a later policy judges what was measured before it."""
    promote = replace(act("promote", "1.0.0"), channel="prod-eu")
    gates = {
        "prod-*": {"require_success": True, "bounds": {"style_min": 0.3}},
        "*-eu": {"require_success": True, "bounds": {"style_min": 0.7}},
    }
    policy = Action(type="policy", adapter="acme", summary={"channels": gates})
    start = (publication("1.0.0"), measured((0.6, 0.9), "Success"))

    assert note_of(*start, promote) == ""
    assert "at least 0.7" in note_of(*start, policy, promote)


def test_override_stands_for_measurements_alone() -> None:
    """It has a reason, shows in history, and is no review."""
    promote = replace(act("promote", "1.0.0"), summary={"override": "the client waits"})
    asked = (publication("1.0.0"), asks(require_success=True))

    state, applied = run(*asked, promote)

    assert stable_of(state) == "1.0.0"
    assert applied[-1].effects[0].note == "override: the client waits"
    blank = replace(promote, summary={"override": "  "})
    assert "it has no report" in note_of(*asked, blank)
    assert "0 of 1 reviews" in note_of(publication("1.0.0"), asks(reviews=1), promote)


def test_failed_release_is_not_sent_back_to_the_same_evaluation() -> None:
    """Asked again, an evaluation is the same report: a better version helps, or a person."""
    policy = Policy(namespace="acme", channels={"stable": Gate(require_success=True)})

    def how(*more: Action) -> str:
        state, _ = run(publication("1.0.0"), *more)
        (release,) = next(iter(state.adapters.values())).by_digest.values()
        return missing_for(release, policy=policy, channel="stable")[0].how

    assert how().startswith("evaluate ")
    assert how(report("1.0.0", "Failed")).startswith("publish a better version")
    assert "with what its report says is lacking" in how(report("1.0.0", "Inconclusive"))


def test_reviews_are_of_the_newest_report() -> None:
    """The author's does not count, an edit asks again, a rejection stands in the way."""
    promote = act("promote", "1.0.0")
    start = (publication("1.0.0"), asks(reviews=1), report("1.0.0", "Failed"))
    edit = report("1.0.0", "Failed", document=EDIT)

    assert by("bob", *start, review("1.0.0", "approve"), promote) == ""
    assert "0 of 1" in by("ann", *start, review("1.0.0", "approve"), promote)
    assert "0 of 1" in by("bob", *start, review("1.0.0", "approve"), edit, promote)
    assert "rejected by bob" in by("bob", *start, review("1.0.0", "reject"), promote)
    both = (review("1.0.0", "reject"), review("1.0.0", "approve"))
    assert by("bob", *start, *both, promote) == ""


def test_checks_are_asked_of_subjects() -> None:
    """A style has no face to check."""
    checks = {name: "clear" for name in CHECKS if name != "portrait"}
    state, _ = run(publication("1.0.0"), report("1.0.0", "Success", checks=checks))
    (style,) = next(iter(state.adapters.values())).by_digest.values()
    policy = Policy(namespace="acme", channels={"stable": Gate(require_checks=True)})

    found = missing_for(replace(style, purpose="subject"), policy=policy, channel="stable")

    assert [one.what for one in found] == ["not checked: portrait"]
    assert missing_for(replace(style, purpose="style"), policy=policy, channel="stable") == ()


def test_subject_is_one_without_saying_so() -> None:
    """A mascot by DreamBooth is judged as a subject unless its author says that it is a style."""
    state, _ = run(publication("1.0.0"))
    (release,) = next(iter(state.adapters.values())).by_digest.values()
    policy = Policy(namespace="acme", channels={"stable": Gate(require_checks=True)})
    mascot = replace(release, kind="dreambooth", purpose="")

    assert len(missing_for(mascot, policy=policy, channel="stable")) == 1
    said = replace(mascot, purpose="style")
    assert missing_for(said, policy=policy, channel="stable") == ()


def test_pattern_holds_where_it_matches() -> None:
    """All patterns that match count; a channel that none names is free."""
    state, _ = run(publication("1.0.0"))
    (release,) = next(iter(state.adapters.values())).by_digest.values()
    gates = {"prod-*": Gate(reviews=1), "*-eu": Gate(require_success=True)}
    policy = Policy(namespace="acme", channels=with_gates(gates, {}))

    asked = [
        len(missing_for(release, policy=policy, channel=one))
        for one in ("beta", "prod-a", "prod-eu")
    ]

    assert asked == [0, 1, 2]


def random_act(kind: str, version: str) -> dict[str, Any]:
    """A move of ink's stable channel, or a publication, in a random log."""
    place = (LINES[0], version)
    return publish(place) if kind == "publish" else move(kind, place, "stable")


@settings(max_examples=60)
@given(documents(any_actions), st.lists(gating, min_size=1, max_size=2))
def test_rollback_needs_no_gate(log: list[list[Any]], gates: list[Any]) -> None:
    """After any acts and under any policy: what a rollback does is what it does without one."""
    begun = [
        [random_act("publish", version), random_act("promote", version)]
        for version in ("1.0.0", "1.1.0")
    ]
    back = {**random_act("rollback", "1.0.0"), "proof": "token"}
    policies = [{**one, "proof": "token"} for one in gates]

    free, _ = folded([*begun, *log, [], [back]])
    gated, _ = folded([*begun, *log, policies, [back]])

    pointers = [one.adapters[LINES[0]].channels["stable"].digest for one in (free, gated)]
    assert pointers[0] == pointers[1]


def test_rollback_goes_through_the_strictest_gate() -> None:
    """The release before was never judged, and it comes back all the same."""
    strict = asks(require_success=True, require_checks=True, reviews=16)
    moves = (act("promote", "1.0.0"), act("promote", "1.1.0"))

    state, _ = run(
        publication("1.0.0"), publication("1.1.0"), *moves, strict, act("rollback", "1.0.0")
    )

    assert stable_of(state) == "1.0.0"
