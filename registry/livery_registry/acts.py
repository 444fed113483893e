# SPDX-License-Identifier: Apache-2.0
"""Acts as pure plans: from a state, what to write so that it happens, or why it cannot.

An act is planned anew against every state that it meets, so that one which lost its slot is
validated again before it tries the next.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from livery_registry.digest import Digest
from livery_registry.errors import AlreadyExists, InvalidField, NotFound, PreconditionFailed
from livery_registry.fold import channel_key
from livery_registry.manifest import Manifest
from livery_registry.names import AdapterName, AdapterRef, ByChannel, check_channel
from livery_registry.records import Action
from livery_registry.release import Absent, Adapter, Channel, Release, summarise
from livery_registry.semver import Version
from livery_registry.state import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one record shall say.

    Attributes:
        action: The act, or None when the state is as wanted already.
        expect: What the act relies on.
    """

    action: Action | None
    expect: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One wish of a caller.

    Attributes:
        plan: Makes the plan for a state, or raises why it cannot be.
        is_same: Whether an action found under the caller's request id is this act.
    """

    plan: Callable[[State], Plan]
    is_same: Callable[[Action], bool]


def publish(manifest: Manifest) -> Act:
    """Plan to publish a manifest; publishing the same again is a wish fulfilled."""
    name, version = str(manifest.adapter), str(manifest.version)
    action = Action(
        type="publish",
        adapter=name,
        digest=str(manifest.digest),
        version=version,
        summary=summarise(manifest),
    )

    def plan(state: State) -> Plan:
        line = state.adapters.get(manifest.adapter)
        existing = line.by_version.get(manifest.version) if line else None
        if existing is None:
            return Plan(action=action)
        refuse_other(existing, manifest)
        return Plan(action=None)

    def is_same(found: Action) -> bool:
        return (found.type, found.adapter, found.version) == ("publish", name, version)

    return Act(plan=plan, is_same=is_same)


def promote(ref: AdapterRef, *, channel: str, expect: Digest | Absent | None) -> Act:
    """Plan to move a channel to what a ref means."""
    check_channel(channel)
    key = channel_key(ref.adapter, channel=channel)

    def plan(state: State) -> Plan:
        release = state.resolve(ref)
        pointer = state.adapter(ref.adapter).channels.get(channel)
        expected = _check_expect(pointer, key=key, expect=expect)
        if release.yanked:
            raise _yanked(release, hint="Unyank it first, or promote another release.")
        if pointer is not None and pointer.digest == release.digest:
            return Plan(action=None)
        return Plan(action=_move("promote", release, channel=channel), expect=expected)

    def is_same(found: Action) -> bool:
        return (found.type, found.adapter, found.channel) == ("promote", str(ref.adapter), channel)

    return Act(plan=plan, is_same=is_same)


def roll_back(
    adapter: AdapterName, *, channel: str, to: Version | None, expect: Digest | Absent | None
) -> Act:
    """Plan to return a channel to the release before, or to an earlier one.

    Without an `expect`, the act leaves the release that the channel had when it was first planned:
    of two people who roll back the same bad release at once, the second moves nothing further.
    """
    key = channel_key(adapter, channel=channel)
    leaving: list[Digest] = [expect] if isinstance(expect, Digest) else []

    def plan(state: State) -> Plan:
        pointer = state.channel(adapter, channel=channel)
        leaving[:] = leaving or [pointer.digest]
        expected = _check_expect(pointer, key=key, expect=leaving[0])
        line = state.adapter(adapter)
        release = _rollback_target(line, pointer, to=to)
        if release.digest == pointer.digest:
            return Plan(action=None)
        return Plan(action=_move("rollback", release, channel=channel), expect=expected)

    def is_same(found: Action) -> bool:
        wanted = ("rollback", str(adapter), channel)
        return (found.type, found.adapter, found.channel) == wanted and (
            to is None or found.version == str(to)
        )

    return Act(plan=plan, is_same=is_same)


def set_yanked(ref: AdapterRef, *, yanked: bool) -> Act:
    """Plan to yank or unyank the one release that an exact ref names."""
    if isinstance(ref.selector, ByChannel):
        raise InvalidField(
            f"{ref} names a channel, which may move",
            reason="EXACT_REF_REQUIRED",
            hint="Name the release: `namespace/name@1.2.0` or `namespace/name@sha256:…`.",
        )
    kind = "yank" if yanked else "unyank"

    def plan(state: State) -> Plan:
        release = state.resolve(ref)
        if release.yanked == yanked:
            return Plan(action=None)
        return Plan(action=_move(kind, release, channel=""))

    def is_same(found: Action) -> bool:
        return (found.type, found.adapter) == (kind, str(ref.adapter))

    return Act(plan=plan, is_same=is_same)


def refuse_other(existing: Release, manifest: Manifest) -> None:
    """Refuse a manifest that is another release under an existing version.

    Equal are releases with equal files and equal words of the author: what the intake derives from
    the files may differ between two versions of Livery.

    Raises:
        AlreadyExists: Something differs; the message says what.
    """
    if existing.digest == manifest.digest:
        return
    differing = [
        what
        for what, before, now in (
            ("files", existing.original, tuple(blob.sha256 for blob in manifest.original)),
            ("kind", existing.kind, manifest.kind),
            ("purpose", existing.purpose, manifest.purpose),
            ("notes", existing.notes, manifest.notes),
            ("licence", existing.licence, manifest.licence),
            ("trigger words", existing.trigger_words, manifest.trigger_words),
            ("parent", existing.parent, manifest.parent),
        )
        if before != now
    ]
    if differing:
        raise AlreadyExists(
            f"{existing} exists with other {', '.join(differing)} ({existing.digest.short})",
            reason="VERSION_EXISTS",
            hint="Releases never change: publish under a new version.",
        )


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
            if not line.by_digest[digest].yanked:
                return line.by_digest[digest]
        raise PreconditionFailed(
            f"{line.name}@{pointer.name} has no release before {pointer.version}",
            reason="NOTHING_TO_ROLL_BACK",
            hint="Promote the release that you want instead.",
        )
    release = line.by_version.get(to)
    if release is None:
        raise NotFound(
            f"no release {to} of {line.name}",
            reason="RELEASE_NOT_FOUND",
            hint=f"Known versions: {', '.join(str(r.version) for r in line.releases[:5])}.",
        )
    if release.digest not in pointer.served:
        raise PreconditionFailed(
            f"{release} was never on {pointer.name}",
            reason="NEVER_ON_CHANNEL",
            hint=f"A rollback returns to what was there before; promote {release} instead.",
        )
    if release.yanked:
        raise _yanked(release, hint="Unyank it first, or roll back to another release.")
    return release


def _move(kind: str, release: Release, *, channel: str) -> Action:
    return Action(
        type=kind,
        adapter=str(release.adapter),
        digest=str(release.digest),
        version=str(release.version),
        channel=channel,
    )


def _yanked(release: Release, *, hint: str) -> PreconditionFailed:
    return PreconditionFailed(
        f"{release} was yanked: {release.yank_reason}", reason="RELEASE_YANKED", hint=hint
    )


def _said(pointer: Channel | None) -> str:
    return f"{pointer.version} ({pointer.digest.short})" if pointer else "nothing"
