# SPDX-License-Identifier: Apache-2.0
"""The registry's values as protobuf messages, and what callers say of them read back.

In: the registry's values. Out: messages, and the other way round for enums and authors.
"""

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Protocol

from tabard.v1 import adapter_pb2, registry_service_pb2
from tabard_registry import (
    Adapter,
    AppliedRecord,
    Author,
    ChannelMove,
    HistoryEntry,
    Release,
    Report,
    Serving,
    State,
)
from tabard_server.errors import invalid
from tabard_server.publishing.author import author_of

_KINDS: Mapping[str, "adapter_pb2.ReleaseKind"] = {
    "lora": adapter_pb2.RELEASE_KIND_LORA,
    "textual_inversion": adapter_pb2.RELEASE_KIND_TEXTUAL_INVERSION,
    "dreambooth": adapter_pb2.RELEASE_KIND_DREAMBOOTH,
    "recipe": adapter_pb2.RELEASE_KIND_RECIPE,
}
_PURPOSES: Mapping[str, "adapter_pb2.Purpose"] = {
    "": adapter_pb2.PURPOSE_UNSPECIFIED,
    "concept": adapter_pb2.PURPOSE_CONCEPT,
    "style": adapter_pb2.PURPOSE_STYLE,
    "subject": adapter_pb2.PURPOSE_SUBJECT,
}


class AuthoredMessage(Protocol):
    """What the messages of all acts say: who, why, and the caller's key for the act."""

    actor: str
    reason: str
    request_id: str


class StandingRequest(AuthoredMessage, Protocol):
    """What the messages that change how one release stands have in common."""

    ref: str


def read_author(message: AuthoredMessage) -> Author:
    """Read who acts and why.

    Raises:
        InvalidField: A field is too long.
    """
    return author_of(message.actor, reason=message.reason, request_id=message.request_id)


def write_release(release: Release, *, state: State) -> adapter_pb2.Release:
    """Write a release; `state` knows how the members of a recipe stand."""
    return adapter_pb2.Release(
        adapter=str(release.adapter),
        version=str(release.version),
        digest=str(release.digest),
        kind=_KINDS[release.kind],
        purpose=_PURPOSES[release.purpose],
        base_family=release.base_family,
        base_fingerprint=release.base_fingerprint,
        trigger_words=release.trigger_words,
        rank=release.rank,
        target_count=release.target_count,
        original_bytes=release.original_bytes,
        dialect=release.dialect,
        notes=release.notes,
        licence=release.licence,
        training=dict(release.training),
        seq=release.seq,
        published_at=release.published_at,
        published_by=release.published_by,
        publish_reason=release.publish_reason,
        yanked=release.yanked,
        yank_reason=release.yank_reason,
        quarantined=release.quarantined,
        quarantine_reason=release.quarantine_reason,
        purged=release.purged,
        purge_reason=release.purge_reason,
        parent_digest=str(release.parent) if release.parent else "",
        members=_members(release),
        troubled_members=[str(member) for member in state.troubled_members(release)],
        signatures=[
            adapter_pb2.ReleaseSignature(key_id=one.key_id, signature=one.signature, seq=one.seq)
            for one in release.signatures
        ],
    )


def write_adapter(adapter: Adapter, *, state: State) -> adapter_pb2.Adapter:
    """Write a release line, releases newest first, channels by name."""
    channels = [adapter.channels[name] for name in sorted(adapter.channels)]
    return adapter_pb2.Adapter(
        name=str(adapter.name),
        releases=[write_release(release, state=state) for release in adapter.releases],
        channels=[
            adapter_pb2.Channel(
                name=channel.name,
                digest=str(channel.digest),
                version=str(channel.version),
                seq=channel.seq,
            )
            for channel in channels
        ],
    )


def write_move(move: ChannelMove) -> registry_service_pb2.ChannelMove:
    """Write a move of a channel."""
    previous = move.previous
    return registry_service_pb2.ChannelMove(
        adapter=str(move.adapter),
        channel=move.channel,
        previous_digest=str(previous.digest) if previous else "",
        previous_version=str(previous.version) if previous else "",
        digest=str(move.current.digest),
        version=str(move.current.version),
        seq=move.seq,
        moved=move.moved,
    )


def write_record(applied: AppliedRecord) -> adapter_pb2.Record:
    """Write a record of the log with what the fold made of it."""
    record = applied.record
    return adapter_pb2.Record(
        seq=record.seq,
        id=record.id,
        time=record.time,
        actor=record.actor,
        reason=record.reason,
        prev=str(record.prev),
        actions=[
            adapter_pb2.Action(
                type=action.type,
                adapter=action.adapter,
                digest=action.digest,
                version=action.version,
                channel=action.channel,
                previous_digest=str(effect.previous_digest or ""),
                effective=effect.effective,
                note=effect.note,
                actor=action.actor,
                reason=action.reason,
            )
            for action, effect in zip(record.actions, applied.effects, strict=True)
        ],
    )


def write_history(entries: Iterable[HistoryEntry]) -> list[adapter_pb2.Record]:
    """Write acts, those of one record together; ids and digests of records are not known here."""
    grouped = (list(acts) for _seq, acts in groupby(entries, key=lambda entry: entry.seq))
    return [
        adapter_pb2.Record(
            seq=acts[0].seq,
            time=acts[0].time,
            actor=acts[0].actor,
            reason=acts[0].reason,
            actions=[_action(entry) for entry in acts],
        )
        for acts in grouped
    ]


def write_serving(serving: Serving, *, state: State) -> registry_service_pb2.Serving:
    """Write what a channel pointed to, and the act that moved it there."""
    return registry_service_pb2.Serving(
        adapter=str(serving.adapter),
        channel=serving.channel,
        release=write_release(serving.release, state=state),
        since=write_history([serving.since])[0],
    )


def write_report(report: Report) -> registry_service_pb2.CheckReport:
    """Write what the checks said."""
    return registry_service_pb2.CheckReport(
        accepted=report.accepted,
        kind=_KINDS.get(report.kind, adapter_pb2.RELEASE_KIND_UNSPECIFIED),
        dialect=report.dialect,
        rank=report.rank,
        target_count=report.target_count,
        tensor_count=report.tensor_count,
        tensors_applied=report.tensors_applied,
        trigger_words=report.trigger_words,
        resident_bytes=report.resident_bytes,
        training=report.training,
        mode=report.mode,
        alphas=report.alphas,
        methods=report.methods,
        coverage=[
            registry_service_pb2.Coverage(
                component=part.component, kind=part.kind, changed=part.changed, total=part.total
            )
            for part in report.coverage
        ],
        base_family=report.base_family,
        base_fingerprint=report.base_fingerprint,
        base_match=report.base_match,
        declared=report.declared,
        problems=[
            registry_service_pb2.Problem(
                reason=problem.reason,
                message=problem.message,
                remedy=problem.remedy,
                keys=problem.keys,
                is_warning=problem.is_warning,
            )
            for problem in report.problems
        ],
    )


def read_kind(number: int) -> str | None:
    """Read the kind an author insists on; None when unspecified.

    Raises:
        InvalidRequest: There is no such kind.
    """
    if number == adapter_pb2.RELEASE_KIND_UNSPECIFIED:
        return None
    name = next((name for name, known in _KINDS.items() if known == number), None)
    if name is None:
        raise invalid(
            "draft.kind",
            f"there is no kind {number}",
            reason="KIND_NOT_SUPPORTED",
            hint=f"use one of: {', '.join(_KINDS)}",
        )
    return name


def read_purpose(number: int) -> str:
    """Read a purpose; a number from a newer client counts as not said."""
    return next((name for name, known in _PURPOSES.items() if known == number), "")


def _members(release: Release) -> list[adapter_pb2.Member]:
    return [
        adapter_pb2.Member(
            adapter=str(member.adapter),
            version=str(member.version),
            digest=str(member.digest),
            weight=member.weight,
        )
        for member in release.members
    ]


def _action(entry: HistoryEntry) -> adapter_pb2.Action:
    return adapter_pb2.Action(
        type=entry.type,
        adapter=entry.adapter,
        digest=entry.digest,
        version=entry.version,
        channel=entry.channel,
        previous_digest=entry.previous_digest,
        effective=entry.effective,
        note=entry.note,
        actor=entry.actor,
        reason=entry.reason,
    )
