# SPDX-License-Identifier: Apache-2.0
"""Moves of channels: promote and roll back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from tabard_registry.acts.act import Act, Landed, Plan, action_on
from tabard_registry.acts.author import REASON_CHARS_MAX
from tabard_registry.errors import NotFound, PreconditionFailed, check_text
from tabard_registry.log.records import Action
from tabard_registry.refs.digest import Digest
from tabard_registry.refs.names import (
    DEFAULT_CHANNEL,
    AdapterName,
    AdapterRef,
    ByDigest,
    ByVersion,
    check_channel,
)
from tabard_registry.refs.semver import Version
from tabard_registry.release.release import Absent, Adapter, Channel, ChannelMove, Release
from tabard_registry.state.fold import channel_key
from tabard_registry.state.gates import missing_for, refusal_of
from tabard_registry.state.state import State, refuse_withdrawn

Expectation: TypeAlias = Digest | ByVersion | ByDigest | Absent
"""Where a channel must point: a digest, what names one release of the line, or nowhere."""


def promote(
    ref: AdapterRef, *, channel: str, expect: Expectation | None, override: str = ""
) -> Act[ChannelMove]:
    """Plan to move a channel to what a ref means.

    Args:
        ref: The release: exact, or another channel to copy from.
        channel: The channel.
        expect: Where the channel must point now; `Absent()`: it must not exist; None: anywhere.
        override: Why it shall go there without a Success or checks that the policy asks for.

    Its plan raises:
        NotFound: There is no such release.
        PreconditionFailed: The channel is elsewhere (EXPECT_MISMATCH), the release yanked, or the
            policy asks for more (GATE_NOT_MET).
    """
    check_channel(channel)
    check_text("the override", override, chars_max=REASON_CHARS_MAX, lines=True)
    summary = {"override": override} if override.strip() else {}
    key = channel_key(ref.adapter, channel=channel)

    def plan(state: State) -> Plan:
        release = state.resolve(ref)
        pointer = state.adapter(ref.adapter).channels.get(channel)
        wanted = _expected(state, ref.adapter, expect=expect)
        expected = _check_expect(pointer, key=key, expect=wanted)
        refuse_unchoosable(release, hint="Unyank it first, or promote another release.")
        if pointer is not None and pointer.digest == release.digest:
            return Plan(action=None)
        refuse_gated(state, release, channel=channel, override=override)
        action = replace(action_on("promote", release, channel=channel), summary=summary)
        return Plan(action=action, expect=expected)

    def is_same(found: Action) -> bool:
        return (found.type, found.adapter, found.channel) == ("promote", str(ref.adapter), channel)

    return _move(ref.adapter, channel=channel, plan=plan, is_same=is_same)


def roll_back(
    adapter: AdapterName, *, channel: str, to: Version | None, expect: Expectation | None
) -> Act[ChannelMove]:
    """Plan to return a channel to the release before, or to an earlier one. Needs only the log.

    Promotions pile up and rollbacks take from the pile: rolling back twice goes two back. Yanked
    releases are passed over. Without an `expect`, the act leaves the release that the channel had
    when it was first planned: of two people who roll back the same bad release at once, the second
    moves nothing further.

    Args:
        adapter: The release line.
        channel: The channel.
        to: A version that was on the channel before; None: the release before.
        expect: Where the channel must point now.

    Its plan raises:
        NotFound: There is no such adapter, channel or version.
        PreconditionFailed: There is nothing before (NOTHING_TO_ROLL_BACK), `to` was never on
            the channel or is yanked, or somebody else moved the channel (EXPECT_MISMATCH).
    """
    key = channel_key(adapter, channel=channel)
    leaving: list[Digest | Absent] = []

    def plan(state: State) -> Plan:
        pointer = state.channel(adapter, channel=channel)
        leaving[:] = leaving or [_expected(state, adapter, expect=expect) or pointer.digest]
        expected = _check_expect(pointer, key=key, expect=leaving[0])
        line = state.adapter(adapter)
        release = _rollback_target(line, pointer, to=to)
        if release.digest == pointer.digest:
            return Plan(action=None)
        return Plan(action=action_on("rollback", release, channel=channel), expect=expected)

    def is_same(found: Action) -> bool:
        wanted = ("rollback", str(adapter), channel)
        return (found.type, found.adapter, found.channel) == wanted and (
            to is None or found.version == str(to)
        )

    return _move(adapter, channel=channel, plan=plan, is_same=is_same, reasoned="a rollback")


def refuse_unchoosable(release: Release, *, hint: str) -> None:
    """Refuse what no channel may point to.

    Raises:
        PreconditionFailed: The release is yanked, quarantined or purged.
    """
    refuse_withdrawn(release)
    if release.yanked:
        raise PreconditionFailed(
            f"{release} was yanked: {release.yank_reason}", reason="RELEASE_YANKED", hint=hint
        )


def refuse_gated(state: State, release: Release, *, channel: str, override: str) -> None:
    """Refuse what has not all that a channel asks for.

    Raises:
        PreconditionFailed: It is so (GATE_NOT_MET).
    """
    policy = state.policies.get(release.adapter.namespace)
    missing = missing_for(release, policy=policy, channel=channel, override=override)
    if missing:
        raise PreconditionFailed(
            refusal_of(release, policy=policy, channel=channel, override=override),
            reason="GATE_NOT_MET",
            hint=f"Next: {missing[0].how}. `tabard policy explain {release}{_said_of(channel)}` "
            "says who can. A rollback needs none of it.",
        )


def _move(
    adapter: AdapterName,
    *,
    channel: str,
    plan: Callable[[State], Plan],
    is_same: Callable[[Action], bool],
    reasoned: str = "",
) -> Act[ChannelMove]:
    def answer(state: State, landed: Landed | None) -> ChannelMove:
        line = state.adapter(adapter)
        pointer = line.channels[channel]
        after = Digest.parse(landed.action.digest) if landed else pointer.digest
        before = landed.effect.previous_digest if landed else after
        return ChannelMove(
            adapter=adapter,
            channel=channel,
            previous=line.by_digest[before] if before else None,
            current=line.by_digest[after],
            seq=landed.seq if landed else pointer.seq,
            moved=landed is not None,
        )

    return Act(plan=plan, is_same=is_same, answer=answer, reasoned=reasoned)


def _expected(
    state: State, adapter: AdapterName, *, expect: Expectation | None
) -> Digest | Absent | None:
    """Find the digest that an expectation names; what is a whole digest need not be known."""
    if isinstance(expect, ByVersion | ByDigest):
        return state.find(AdapterRef(adapter=adapter, selector=expect)).digest
    return expect


def _check_expect(
    pointer: Channel | None, *, key: str, expect: Digest | Absent | None
) -> dict[str, str | None]:
    if expect is None:
        return {}
    wanted = None if isinstance(expect, Absent) else expect
    found = pointer.digest if pointer else None
    if found != wanted:
        raise PreconditionFailed(
            f"{key} points to {_said(pointer)}, not to {wanted.short if wanted else 'nothing'}",
            reason="EXPECT_MISMATCH",
            hint="Somebody moved the channel: look at its history, then decide again.",
        )
    return {key: str(wanted) if wanted else None}


def _rollback_target(line: Adapter, pointer: Channel, *, to: Version | None) -> Release:
    if to is None:
        for digest in reversed(pointer.below):
            if line.by_digest[digest].is_choosable:
                return line.by_digest[digest]
        raise PreconditionFailed(
            f"{line.name}@{pointer.name} has no release before {pointer.version}",
            reason="NOTHING_TO_ROLL_BACK",
            hint="Promote the release that you want instead.",
        )
    release = line.by_version.get(to)
    if release is None:
        known = sorted(line.by_version, reverse=True)[:5]
        raise NotFound(
            f"no release {to} of {line.name}",
            reason="RELEASE_NOT_FOUND",
            hint=f"Known versions: {', '.join(map(str, known))}.",
        )
    if release.digest not in pointer.served:
        raise PreconditionFailed(
            f"{release} was never on {pointer.name}",
            reason="NEVER_ON_CHANNEL",
            hint=f"A rollback returns to what was there before; promote {release} instead.",
        )
    refuse_unchoosable(release, hint="Unyank it first, or roll back to another release.")
    return release


def _said_of(channel: str) -> str:
    return "" if channel == DEFAULT_CHANNEL else f" --channel {channel}"


def _said(pointer: Channel | None) -> str:
    return f"{pointer.version} ({pointer.digest.short})" if pointer else "nothing"
