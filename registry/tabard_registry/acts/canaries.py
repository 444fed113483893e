# SPDX-License-Identifier: Apache-2.0
"""The steps of a canary: start, what was observed, the next share, what was said of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tabard_registry.acts.act import Act, Landed, Plan, action_on
from tabard_registry.acts.author import REASON_CHARS_MAX
from tabard_registry.acts.channels import refuse_gated, refuse_unchoosable
from tabard_registry.errors import InvalidField, NotFound, PreconditionFailed, check_text
from tabard_registry.log.records import CANARY, Action
from tabard_registry.refs.digest import Digest
from tabard_registry.refs.names import AdapterName, AdapterRef, check_channel
from tabard_registry.release.canary import (
    INCONCLUSIVE,
    OBSERVATIONS_PER_ACT_MAX,
    STOPPED,
    SUCCESS,
    Canary,
    CanaryFigures,
    CanaryTerms,
    Observation,
    fresh_of,
)
from tabard_registry.release.release import Adapter, Release
from tabard_registry.state.canaries import (
    baseline_for,
    canary_of,
    end_target,
    refusal_to_start,
)
from tabard_registry.state.state import State


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryStep:
    """The answer to a step.

    Attributes:
        canary: The canary as it is now.
        seq: Log position of the step; 0 when nothing had to be written.
    """

    canary: Canary
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryName:
    """Which canary: a release line and its candidate.

    Attributes:
        adapter: The release line.
        candidate: The release that is tried; it has no other canary, ever.
    """

    adapter: AdapterName
    candidate: Digest

    def find(self, state: State) -> tuple[Adapter, Canary]:
        """Return the line and the canary.

        Raises:
            NotFound: There is none.
        """
        line = state.adapter(self.adapter)
        canary = canary_of(line, candidate=self.candidate)
        if canary is None:
            raise NotFound(
                f"{self.candidate.short} of {self.adapter} has no canary",
                reason="CANARY_NOT_FOUND",
                hint="`tabard canary status` lists them.",
            )
        return line, canary


def start_canary(
    ref: AdapterRef,
    *,
    channel: str,
    policy: Mapping[str, float],
    salt: str,
    shares: Sequence[float] = (),
    override: str = "",
) -> Act[CanaryStep]:
    """Plan to try a release beside what a channel serves, or served before it.

    Args:
        ref: The release.
        channel: The channel.
        policy: The constants of its judgement, by name.
        salt: What callers are hashed with.
        shares: Steps of exposure, rising; none: nobody is served it. A release that the channel
            serves already has all traffic, and no steps.
        override: Why it shall be tried without what a gate asks for.

    Its plan raises:
        NotFound: There is no such release or channel.
        PreconditionFailed: It had its canary (CANARY_SPENT), another one is open (CANARY_OPEN),
            there is nothing to compare with (CANARY_WITHOUT_BASELINE), the release is withdrawn, or
            the policy asks for more (GATE_NOT_MET).
        InvalidField: The terms are none.
    """
    check_channel(channel)
    check_text("the override", override, chars_max=REASON_CHARS_MAX, lines=True)

    def plan(state: State) -> Plan:
        release = state.resolve(ref)
        refuse_unchoosable(release, hint="Unyank it first, or try another release.")
        line = state.adapter(ref.adapter)
        _refuse_start(state, line, release, channel=channel)
        is_promoted = line.channels[channel].digest == release.digest
        if not is_promoted:
            refuse_gated(state, release, channel=channel, override=override)
        baseline = baseline_for(line, channel=channel, candidate=release.digest)
        assert baseline is not None, "who has none was refused"
        try:
            terms = CanaryTerms(
                candidate=release.digest,
                baseline=baseline,
                shares=() if is_promoted else tuple(shares),
                policy=policy,
                salt=salt,
                override=override,
            )
        except ValueError as error:
            raise InvalidField(
                str(error), reason="FIELD_INVALID", hint="Say shares like 5%,25%,50%."
            ) from error
        action = action_on(CANARY, release, channel=channel)
        return Plan(action=replace(action, summary={"step": "start", **terms.to_json()}))

    def is_same(found: Action) -> bool:
        wanted = (CANARY, str(ref.adapter), channel, "start")
        return (found.type, found.adapter, found.channel, found.summary.get("step")) == wanted

    def answer(state: State, landed: Landed | None) -> CanaryStep:
        assert landed is not None, "a start is written, or refused"
        name = CanaryName(adapter=ref.adapter, candidate=Digest.parse(landed.action.digest))
        return CanaryStep(canary=name.find(state)[1], seq=landed.seq)

    return Act(plan=plan, is_same=is_same, answer=answer)


def observe(name: CanaryName, *, observations: Sequence[Observation]) -> Act[CanaryStep]:
    """Plan to count what was observed; units that were counted before are left out.

    Its plan raises:
        NotFound: There is no such canary.
        PreconditionFailed: It has ended (CANARY_ENDED).
    """
    assert 0 < len(observations) <= OBSERVATIONS_PER_ACT_MAX

    def plan(line: Adapter, canary: Canary) -> Plan:
        fresh = fresh_of(canary, tuple(observations))
        if not fresh:
            return Plan(action=None)
        rows = [one.to_json() for one in fresh]
        return _step(line, canary, said={"step": "observe", "observations": rows})

    return _act(name, plan=plan, step="observe")


def raise_share(name: CanaryName, *, share: float) -> Act[CanaryStep]:
    """Plan to expose a canary to its next share; it stays where it is that far already.

    Its plan raises:
        NotFound: There is no such canary.
        PreconditionFailed: It has ended, or holds (CANARY_ENDED).
    """

    def plan(line: Adapter, canary: Canary) -> Plan:
        if canary.share >= share:
            return Plan(action=None)
        if canary.is_held:
            raise _ended("it holds until people decide")
        return _step(line, canary, said={"step": "share", "share": share})

    return _act(name, plan=plan, step="share")


def end_canary(
    name: CanaryName, *, verdict: str, figures: CanaryFigures | None = None, said: str = ""
) -> Act[CanaryStep]:
    """Plan to say what came of a canary; where that moves its channel, the same record does.

    Args:
        name: The canary.
        verdict: `rolled_back`, `success`, `stopped`, or `inconclusive`, which leaves it open.
        figures: What it was judged by.
        said: Why, in words.

    Its plan raises:
        NotFound: There is no such canary.
        PreconditionFailed: It has ended; it holds, and people decide (CANARY_ENDED); or where it
            would move the channel to is withdrawn, or does not meet a gate.
    """

    def plan(state: State) -> Plan:
        line, canary = name.find(state)
        _refuse_ended(canary)
        if canary.is_held and verdict in (SUCCESS, INCONCLUSIVE):
            raise _ended("it holds until people decide")
        policy = state.policies.get(name.adapter.namespace)
        target = end_target(canary, verdict=verdict, policy=policy)
        release = line.by_digest[target or canary.terms.candidate]
        if target is not None:
            refuse_unchoosable(release, hint="Choose where the channel goes, and stop the canary.")
        if target is not None and verdict == SUCCESS:
            override = canary.terms.override
            refuse_gated(state, release, channel=canary.channel, override=override)
        summary = {
            "step": "end",
            "candidate": str(canary.terms.candidate),
            "verdict": verdict,
            "figures": (figures or CanaryFigures()).to_json(),
            "said": said,
        }
        action = action_on(CANARY, release, channel=canary.channel)
        return Plan(action=replace(action, summary=summary))

    return Act(
        plan=plan,
        is_same=_like(name, "end"),
        answer=_answer(name),
        reasoned="stopping a canary" if verdict == STOPPED else "",
    )


def _act(
    name: CanaryName, *, plan: Callable[[Adapter, Canary], Plan], step: str
) -> Act[CanaryStep]:
    def planned(state: State) -> Plan:
        line, canary = name.find(state)
        _refuse_ended(canary)
        return plan(line, canary)

    return Act(plan=planned, is_same=_like(name, step), answer=_answer(name))


def _answer(name: CanaryName) -> Callable[[State, Landed | None], CanaryStep]:
    def answer(state: State, landed: Landed | None) -> CanaryStep:
        return CanaryStep(canary=name.find(state)[1], seq=landed.seq if landed else 0)

    return answer


def _like(name: CanaryName, step: str) -> Callable[[Action], bool]:
    wanted = (CANARY, str(name.adapter), step, str(name.candidate))
    return lambda found: (
        (found.type, found.adapter, found.summary.get("step"), found.summary.get("candidate"))
        == wanted
    )


def _step(line: Adapter, canary: Canary, *, said: Mapping[str, Any]) -> Plan:
    release = line.by_digest[canary.terms.candidate]
    action = action_on(CANARY, release, channel=canary.channel)
    summary = {"candidate": str(canary.terms.candidate), **said}
    return Plan(action=replace(action, summary=summary))


def _refuse_start(state: State, line: Adapter, release: Release, *, channel: str) -> None:
    state.channel(line.name, channel=channel)
    reason, refusal = refusal_to_start(
        line, release, channel=channel, open_count=len(state.canaried)
    )
    if refusal:
        raise PreconditionFailed(refusal, reason=reason, hint=_HINTS[reason])


_HINTS = {
    "CANARY_SPENT": "Publish it as a new version and start a canary of that.",
    "CANARY_OPEN": "Wait for its verdict, or `tabard canary stop REF --reason …` first.",
    "CANARY_WITHOUT_BASELINE": "Promote a release there first: the canary is compared with it.",
}


def _refuse_ended(canary: Canary) -> None:
    if not canary.is_open:
        raise _ended(f"the canary has ended: {canary.verdict.replace('_', ' ')}")


def _ended(message: str) -> PreconditionFailed:
    return PreconditionFailed(
        message,
        reason="CANARY_ENDED",
        hint="`tabard canary status REF` says what came of it; promote or roll back yourself.",
    )
