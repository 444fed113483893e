# SPDX-License-Identifier: Apache-2.0
"""What each act of the log means for the state. Pure; an act that cannot be raises `Invalid`.

Part of the protocol: every Tabard that reads a log must come to the same state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from tabard_registry.identity.tokens import Token
from tabard_registry.log.records import CANARY, TOKEN, Action, Effect, Record
from tabard_registry.refs.digest import Digest
from tabard_registry.refs.names import AdapterName, check_channel, check_namespace
from tabard_registry.refs.semver import Version
from tabard_registry.release.canary import Canary
from tabard_registry.release.gates import with_gates
from tabard_registry.release.keys import POLICY_WORDS, Key, Policy
from tabard_registry.release.release import (
    Adapter,
    Channel,
    Release,
    Signature,
    release_from_summary,
)
from tabard_registry.release.words import Words, read_amendment
from tabard_registry.state.canaries import (
    end_by_move,
    end_by_withdrawal,
    fold_canary,
    told_in,
)
from tabard_registry.state.draft import DONE, Draft, Invalid, change, named_release, with_release
from tabard_registry.state.gates import refusal_of
from tabard_registry.state.judging import JUDGING
from tabard_registry.state.recipes import manifest_of
from tabard_registry.state.state import TOKENS_MAX

ROLLBACK_DEPTH_MAX = 256
"""How many moves of a channel a chain of rollbacks can undo. Part of the protocol."""
SIGNATURES_MAX = 16
"""Most signatures of a release. Part of the protocol."""


def channel_below(channel: Channel, *, target: Digest) -> Sequence[Digest]:
    """Return what lies below `target` after a channel was rolled back to it."""
    for position in range(len(channel.below) - 1, -1, -1):
        if channel.below[position] == target:
            return channel.below[:position]
    return channel.below


def _publish(draft: Draft, record: Record, action: Action) -> Effect:
    name = AdapterName.parse(action.adapter)
    version = Version.parse(action.version)
    release = release_from_summary(
        action.summary,
        adapter=name,
        version=version,
        digest=Digest.parse(action.digest),
        seq=record.seq,
        published_at=record.time,
        published_by=action.actor,
        publish_reason=action.reason,
        publish_proof=action.proof,
        published_for=action.on_behalf_of,
    )
    line = draft.lines.get(name) or Adapter(
        name=name, by_version={}, by_digest={}, channels=MappingProxyType({})
    )
    if version in line.by_version:
        raise Invalid(f"{name}@{version} exists")
    if release.digest in line.by_digest:
        raise Invalid(f"{release.digest} is another release of {name}")
    denied = next((d for d in release.blobs if str(d) in draft.denied), None)
    if denied is not None:
        raise Invalid(f"{denied} was purged")
    _check_members(draft, release)
    draft.lines.put(with_release(line, release))
    for namespace in {member.adapter.namespace for member in release.members} - {name.namespace}:
        draft.wearers[namespace] = draft.wearers.get(namespace, frozenset()) | {name}
    return DONE


def _check_members(draft: Draft, release: Release) -> None:
    if (release.kind == "recipe") != bool(release.members):
        raise Invalid("a recipe has members, and nothing else has")
    if release.members and manifest_of(release).digest != release.digest:
        raise Invalid("its digest is not that of its members")
    for number, member in enumerate(release.members, start=1):
        line = draft.lines.get(member.adapter)
        found = line.by_digest.get(member.digest) if line else None
        if found is None or found.version != member.version:
            # Whoever reads the note need not see the namespace of the member.
            raise Invalid(f"member {number} is no release of that digest")
        if found.kind == "recipe":
            raise Invalid(f"member {number} is a recipe itself")


def _promote(draft: Draft, record: Record, action: Action) -> Effect:
    line, release = named_release(draft, action)
    check_channel(action.channel)
    _check_choosable(release)
    override = str(action.summary.get("override", ""))
    policy = draft.policies.get(line.name.namespace)
    refusal = refusal_of(release, policy=policy, channel=action.channel, override=override)
    if refusal:
        raise Invalid(refusal)
    before = line.channels.get(action.channel)
    if before is not None and before.digest == release.digest:
        raise Invalid(f"{action.channel} points there already")
    below = _below_after(before)
    line = _without_canary(line, record, action)
    moved = _move(draft, line, action.channel, release=release, seq=record.seq, below=below)
    is_overridden = refusal_of(release, policy=policy, channel=action.channel)
    return replace(moved, note=f"override: {override}") if is_overridden else moved


def _rollback(draft: Draft, record: Record, action: Action) -> Effect:
    line, release = named_release(draft, action)
    before = line.channels.get(action.channel)
    if before is None:
        raise Invalid(f"no channel {action.channel[:40]!r}")
    if before.digest == release.digest:
        raise Invalid(f"{action.channel} points there already")
    if release.digest not in before.served:
        raise Invalid(f"{release} was never on {action.channel}")
    _check_choosable(release)
    below = channel_below(before, target=release.digest)
    line = _without_canary(line, record, action)
    return _move(draft, line, action.channel, release=release, seq=record.seq, below=below)


def _canary(draft: Draft, record: Record, action: Action) -> Effect:
    def move(draft: Draft, line: Adapter, canary: Canary, release: Release) -> Effect:
        before = line.channels[canary.channel]
        below = _below_after(before)
        if canary.is_promoted:
            below = channel_below(before, target=release.digest)
        return _move(draft, line, canary.channel, release=release, seq=record.seq, below=below)

    return fold_canary(draft, record, action, move=move)


def _yank(draft: Draft, record: Record, action: Action) -> Effect:
    line, release = named_release(draft, action)
    if release.yanked:
        raise Invalid(f"{release} is yanked already")
    line = _without_canaries_of(line, release, record, action)
    return change(draft, line, replace(release, yanked=True, yank_reason=action.reason))


def _unyank(draft: Draft, record: Record, action: Action) -> Effect:
    line, release = named_release(draft, action)
    if not release.yanked:
        raise Invalid(f"{release} is not yanked")
    return change(draft, line, replace(release, yanked=False, yank_reason=""))


def _quarantine(draft: Draft, record: Record, action: Action) -> Effect:
    line, release = named_release(draft, action)
    if release.quarantined:
        raise Invalid(f"{release} is quarantined already")
    line = _without_canaries_of(line, release, record, action)
    return change(draft, line, replace(release, quarantined=True, quarantine_reason=action.reason))


def _lift(draft: Draft, record: Record, action: Action) -> Effect:
    line, release = named_release(draft, action)
    if not release.quarantined:
        raise Invalid(f"{release} is not quarantined")
    return change(draft, line, replace(release, quarantined=False, quarantine_reason=""))


def _purge(draft: Draft, record: Record, action: Action) -> Effect:
    line, release = named_release(draft, action)
    if release.purged:
        raise Invalid(f"{release} was purged already")
    draft.denied.update(map(str, release.blobs))
    line = _without_canaries_of(line, release, record, action)
    return change(draft, line, replace(release, purged=True, purge_reason=action.reason))


def _edit(draft: Draft, record: Record, action: Action) -> Effect:
    line, release = named_release(draft, action)
    words = read_amendment(action.summary)
    changed = sorted(name for name, said in words.items() if getattr(release, name) != said)
    if not changed:
        raise Invalid(f"{release} says so already")
    published = release.published_words or Words.of(release)
    change(draft, line, replace(release, **words, published_words=published))
    return Effect(effective=True, note=", ".join(changed).replace("_", " "))


def _sign(draft: Draft, record: Record, action: Action) -> Effect:
    line, release = named_release(draft, action)
    signature = Signature(
        key_id=str(action.summary["key"]),
        signature=str(action.summary["signature"]),
        seq=record.seq,
    )
    key = draft.keys.get(f"{line.name.namespace}/{signature.key_id}")
    if key is None or key.revoked:
        raise Invalid(f"{line.name.namespace} trusts no key {signature.key_id}")
    others = tuple(s for s in release.signatures if s.key_id != signature.key_id)
    if len(others) >= SIGNATURES_MAX:
        raise Invalid(f"{release} has {SIGNATURES_MAX} signatures")
    return change(draft, line, replace(release, signatures=(*others, signature)))


def _key(draft: Draft, record: Record, action: Action) -> Effect:
    namespace = check_namespace(action.adapter)
    key = Key.from_json(action.summary, namespace=namespace)
    if draft.keys.get(key.path) == key:
        raise Invalid(f"key {key.path} is so already")
    draft.keys[key.path] = key
    return DONE


def _policy(draft: Draft, record: Record, action: Action) -> Effect:
    namespace = check_namespace(action.adapter)
    said = {word: action.summary[word] for word in POLICY_WORDS if word in action.summary}
    before = draft.policies.get(namespace) or Policy(namespace=namespace)
    if "channels" in action.summary:
        said["channels"] = with_gates(before.channels, action.summary["channels"])
    if not said:
        raise Invalid("a policy that says nothing")
    draft.policies[namespace] = replace(before, **said)
    return DONE


def _token(draft: Draft, record: Record, action: Action) -> Effect:
    token = Token.from_json(action.summary)
    before = draft.tokens.get(token.id)
    if before is None:
        if token.revoked or any(token.is_namesake(one) for one in draft.tokens.values()):
            raise Invalid("it begins revoked, or its name is taken")
        places: tuple[tuple[int, int], ...] = ()
    else:
        places = before.places
        if before.revoked or token != before.as_revoked(token.revoke_reason, places=()):
            raise Invalid("all that can change is that it is revoked, once")
    position = next(n for n, one in enumerate(record.actions) if one is action)
    kept = {**draft.tokens, token.id: replace(token, places=(*places, (record.seq, position)))}
    if len(kept) > TOKENS_MAX:
        oldest = next((one for one in kept.values() if one.revoked), None)
        if oldest is None:
            raise Invalid(f"there are {TOKENS_MAX} tokens")
        del kept[oldest.id]
    draft.tokens = MappingProxyType(kept)
    return DONE


def _gc_intent(draft: Draft, record: Record, action: Action) -> Effect:
    digests = [Digest(str(text)) for text in action.summary["digests"]]
    draft.collected.update((str(digest), record.seq) for digest in digests)
    draft.gc_seq = record.seq
    draft.gc_open.add(record.seq)
    return DONE


def _gc_done(draft: Draft, record: Record, action: Action) -> Effect:
    seq = int(action.summary["intent"])
    if seq not in draft.gc_open:
        raise Invalid(f"no collection {seq} is open")
    draft.gc_open.remove(seq)
    return DONE


def _check_choosable(release: Release) -> None:
    for is_so, what in (
        (release.yanked, "yanked"),
        (release.quarantined, "quarantined"),
        (release.purged, "purged"),
    ):
        if is_so:
            raise Invalid(f"{release} is {what}")


def _below_after(before: Channel | None) -> Sequence[Digest]:
    return (*before.below, before.digest)[-ROLLBACK_DEPTH_MAX:] if before else ()


def _without_canary(line: Adapter, record: Record, action: Action) -> Adapter:
    told = told_in(record, action)
    return end_by_move(line, channel=action.channel, told=told, said=action.type)


def _without_canaries_of(
    line: Adapter, release: Release, record: Record, action: Action
) -> Adapter:
    told = told_in(record, action)
    return end_by_withdrawal(line, release, told=told, kind=action.type)


def _move(
    draft: Draft,
    line: Adapter,
    channel: str,
    *,
    release: Release,
    seq: int,
    below: Sequence[Digest],
) -> Effect:
    before = line.channels.get(channel)
    after = Channel(
        name=channel,
        digest=release.digest,
        version=release.version,
        seq=seq,
        below=below,
        served=(before.served if before else frozenset()) | {release.digest},
    )
    channels = MappingProxyType({**line.channels, channel: after})
    draft.lines.put(replace(line, channels=channels))
    return Effect(effective=True, previous_digest=before.digest if before else None)


MEANINGS: Mapping[str, Callable[[Draft, Record, Action], Effect]] = {
    "publish": _publish,
    "promote": _promote,
    "rollback": _rollback,
    "yank": _yank,
    "unyank": _unyank,
    "quarantine": _quarantine,
    "lift": _lift,
    "purge": _purge,
    "edit": _edit,
    "sign": _sign,
    "key": _key,
    "policy": _policy,
    TOKEN: _token,
    "gc_intent": _gc_intent,
    "gc_done": _gc_done,
    CANARY: _canary,
    **JUDGING,
}
"""Every act that this Tabard understands."""
