# SPDX-License-Identifier: Apache-2.0
"""What the steps of a canary mean. Pure, and part of the protocol.

A canary is known by its line and its candidate: each release has one, ever. Where an end moves the
channel, the move is in the same record. A move by people ends it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from tabard_registry.log.records import Action, Effect, Record
from tabard_registry.refs.digest import Digest
from tabard_registry.refs.names import AdapterName, check_channel
from tabard_registry.release.canary import (
    CANARY_VERDICTS,
    INCONCLUSIVE,
    OBSERVATIONS_PER_ACT_MAX,
    ROLLED_BACK,
    STOPPED,
    SUCCESS,
    VOTE,
    Canary,
    CanaryFigures,
    CanaryTerms,
    Observation,
    fresh_of,
)
from tabard_registry.release.gates import gates_matching, promotes_on_success
from tabard_registry.release.health import Told
from tabard_registry.release.health import Vote as HealthVote
from tabard_registry.release.keys import Policy
from tabard_registry.release.release import Adapter, Release
from tabard_registry.state.draft import Draft, Invalid, named_release
from tabard_registry.state.gates import refusal_of

CANARIES_OPEN_MAX = 256
"""Most open canaries of a registry. Part of the protocol."""


def open_canary(line: Adapter, *, channel: str) -> Canary | None:
    """Return the open canary of a channel, or None."""
    return next((one for one in line.canaries if one.is_open and one.channel == channel), None)


def canary_of(line: Adapter, *, candidate: Digest) -> Canary | None:
    """Return the canary of a release, open or ended, or None."""
    return next((one for one in line.canaries if one.terms.candidate == candidate), None)


def baseline_for(line: Adapter, *, channel: str, candidate: Digest) -> Digest | None:
    """Return what a candidate is compared with: what the channel serves, or served before it."""
    pointer = line.channels.get(channel)
    if pointer is None:
        return None
    if pointer.digest != candidate:
        return pointer.digest
    below = (one for one in reversed(pointer.below) if line.by_digest[one].is_choosable)
    return next((one for one in below if one != candidate), None)


def refusal_to_start(
    line: Adapter, release: Release, *, channel: str, open_count: int
) -> tuple[str, str]:
    """Say why a canary of a release cannot start: a reason of errors, and words; empty: it can."""
    if canary_of(line, candidate=release.digest) is not None:
        return "CANARY_SPENT", f"{release} had its canary: its error rate is spent"
    if open_canary(line, channel=channel) is not None:
        return "CANARY_OPEN", f"{line.name}@{channel} has an open canary"
    if open_count >= CANARIES_OPEN_MAX:
        return "CANARY_OPEN", f"{CANARIES_OPEN_MAX} canaries are open"
    baseline = baseline_for(line, channel=channel, candidate=release.digest)
    if baseline is None or not line.by_digest[baseline].is_choosable:
        return "CANARY_WITHOUT_BASELINE", f"{line.name}@{channel} has nothing to compare with"
    return "", ""


def end_by_move(line: Adapter, *, channel: str, told: Told, said: str) -> Adapter:
    """Return a line whose channel people moved: an open canary there is stopped."""
    canary = open_canary(line, channel=channel)
    if canary is None:
        return line
    return with_canary(line, _ended(canary, STOPPED, told=told, said=said))


def end_by_withdrawal(line: Adapter, release: Release, *, told: Told, kind: str) -> Adapter:
    """Return a line whose release was withdrawn: open canaries of it, or against it, stop."""
    for canary in line.canaries:
        if canary.is_open and release.digest in (canary.terms.candidate, canary.terms.baseline):
            said = f"{kind}: {release.version}"
            line = with_canary(line, _ended(canary, STOPPED, told=told, said=said))
    return line


def with_vote(line: Adapter, release: Release, vote: HealthVote) -> Adapter:
    """Return a line where a blind vote also counts for an open canary between the same releases."""
    canary = canary_of(line, candidate=release.digest)
    note = release.health.note_of(vote.evidence)
    if canary is None or not canary.is_open or note is None:
        return line
    if note.against != canary.terms.baseline or vote.choice not in ("candidate", "stable"):
        return line
    one = Observation(kind=VOTE, unit=vote.pair, is_loss=vote.choice == "stable")
    return with_canary(line, replace(canary, seen=(*canary.seen, *fresh_of(canary, (one,)))))


def promotes(canary: Canary, *, policy: Policy | None) -> bool:
    """Say whether a Success moves the channel: the policy of its namespace says so now."""
    gates = gates_matching(policy.channels, canary.channel).values() if policy else ()
    return not canary.is_promoted and promotes_on_success(gates)


def end_target(canary: Canary, *, verdict: str, policy: Policy | None) -> Digest | None:
    """Return where a verdict moves the channel, or None.

    Args:
        canary: The canary.
        verdict: What is said of it.
        policy: That of its namespace.
    """
    if verdict == ROLLED_BACK and canary.is_promoted:
        return canary.terms.baseline
    if verdict == SUCCESS and promotes(canary, policy=policy):
        return canary.terms.candidate
    return None


def with_canary(line: Adapter, canary: Canary) -> Adapter:
    """Return a line with a canary that is new or changed."""
    mine = canary.terms.candidate
    if canary_of(line, candidate=mine) is None:
        return replace(line, canaries=(*line.canaries, canary))
    kept = tuple(canary if one.terms.candidate == mine else one for one in line.canaries)
    return replace(line, canaries=kept)


def fold_canary(
    draft: Draft,
    record: Record,
    action: Action,
    *,
    move: Callable[[Draft, Adapter, Canary, Release], Effect],
) -> Effect:
    """Fold one step of a canary; `move` moves its channel to a release.

    Raises:
        Invalid: It cannot be at this position.
        RegistryError, ValueError, TypeError, KeyError, AttributeError: It is malformed.
    """
    told = told_in(record, action)
    step = action.summary["step"]
    if step == "start":
        return _start(draft, action, told=told)
    line = draft.lines.get(AdapterName.parse(action.adapter))
    candidate = Digest.parse(action.summary["candidate"])
    canary = canary_of(line, candidate=candidate) if line else None
    if line is None or canary is None or canary.channel != action.channel:
        raise Invalid("there is no such canary")
    if not canary.is_open:
        raise Invalid(f"the canary has ended: {canary.verdict}")
    if step == "end":
        return _end(draft, action, line=line, canary=canary, told=told, move=move)
    after, note = _STEPS[step](canary, action.summary)
    draft.lines.put(with_canary(line, after))
    return Effect(effective=True, note=note)


def told_in(record: Record, action: Action) -> Told:
    """Say who acts in a record, and when."""
    return Told(
        seq=record.seq,
        time=record.time,
        actor=action.actor,
        on_behalf_of=action.on_behalf_of,
        proof=action.proof,
    )


def _start(draft: Draft, action: Action, *, told: Told) -> Effect:
    line, release = named_release(draft, action)
    check_channel(action.channel)
    terms = CanaryTerms.from_json({**action.summary, "candidate": action.digest})
    if not release.is_choosable:
        raise Invalid(f"{release} is withdrawn")
    _, refusal = refusal_to_start(
        line, release, channel=action.channel, open_count=len(draft.canaried)
    )
    if refusal:
        raise Invalid(refusal)
    if terms.baseline != baseline_for(line, channel=action.channel, candidate=release.digest):
        raise Invalid("the channel serves another release than it is to be compared with")
    is_promoted = line.channels[action.channel].digest == release.digest
    if is_promoted and terms.shares:
        raise Invalid("what has all traffic is exposed in no steps")
    policy = draft.policies.get(line.name.namespace)
    gate = refusal_of(release, policy=policy, channel=action.channel, override=terms.override)
    if gate and not is_promoted:
        raise Invalid(gate)
    canary = Canary(
        channel=action.channel,
        terms=terms,
        started=told,
        reason=action.reason,
        is_promoted=is_promoted,
    )
    draft.lines.put(with_canary(line, canary))
    draft.canaried = draft.canaried | {line.name}
    return Effect(effective=True, note="started")


def _observe(canary: Canary, said: Mapping[str, Any]) -> tuple[Canary, str]:
    rows = said["observations"]
    if len(rows) > OBSERVATIONS_PER_ACT_MAX:
        raise ValueError("too many observations")
    wanted = tuple(Observation.from_json(row) for row in rows)
    if any(one.kind == VOTE for one in wanted):
        raise ValueError("a vote is an act of its own")
    fresh = fresh_of(canary, wanted)
    if not fresh:
        raise Invalid("nothing that was not counted before")
    after = replace(canary, seen=(*canary.seen, *fresh))
    return after, f"{len(fresh)} observed"


def _share(canary: Canary, said: Mapping[str, Any]) -> tuple[Canary, str]:
    share = said["share"]
    if canary.is_held:
        raise Invalid("it holds until people decide")
    if share is None or share != canary.next_share:
        raise Invalid("that is not its next share")
    return replace(canary, share=share), f"share {share:g}"


_STEPS: Mapping[str, Callable[[Canary, Mapping[str, Any]], tuple[Canary, str]]] = {
    "observe": _observe,
    "share": _share,
}


def _end(
    draft: Draft,
    action: Action,
    *,
    line: Adapter,
    canary: Canary,
    told: Told,
    move: Callable[[Draft, Adapter, Canary, Release], Effect],
) -> Effect:
    verdict = action.summary["verdict"]
    figures = CanaryFigures.from_json(action.summary["figures"])
    if verdict not in CANARY_VERDICTS:
        raise ValueError("unknown verdict")
    if canary.is_held and verdict in (SUCCESS, INCONCLUSIVE):
        # What was inconclusive is decided by people, and never by more of the same.
        raise Invalid("it holds until people decide")
    said = str(action.summary.get("said", "")) or action.reason
    after = _ended(canary, verdict, told=told, said=said, figures=figures)
    policy = draft.policies.get(line.name.namespace)
    target = end_target(canary, verdict=verdict, policy=policy)
    if str(target or canary.terms.candidate) != action.digest:
        raise Invalid("it names another release than it is about")
    moved = with_canary(line, after)
    note = f"{verdict.replace('_', ' ')}: E {figures.e_value:.4g}, " + (
        f"{figures.losses} of {figures.units} lost"
    )
    if target is None:
        draft.lines.put(moved)
        return Effect(effective=True, note=note)
    release = line.by_digest[target]
    if not release.is_choosable:
        raise Invalid(f"{release} is withdrawn")
    if verdict == SUCCESS:
        override = canary.terms.override
        refusal = refusal_of(release, policy=policy, channel=canary.channel, override=override)
        if refusal:
            raise Invalid(refusal)
    return replace(move(draft, moved, canary, release), note=note)


def _ended(
    canary: Canary,
    verdict: str,
    *,
    told: Told,
    said: str,
    figures: CanaryFigures | None = None,
) -> Canary:
    is_open = verdict == INCONCLUSIVE
    return replace(
        canary,
        verdict=verdict,
        judged=told,
        said=said,
        figures=figures or canary.figures,
        is_open=is_open,
        # A held one still counts complaints; of an ended one the figures are enough.
        seen=canary.seen if is_open else (),
    )
