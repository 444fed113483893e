# SPDX-License-Identifier: Apache-2.0
"""The registry's values as protobuf messages, and what callers say of them read back.

In: the registry's values. Out: messages, and the other way round for enums and authors.
"""

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from google.protobuf.message import Message

from tabard.v1 import adapter_pb2, registry_service_pb2
from tabard_registry import (
    Adapter,
    AdapterName,
    AdapterRef,
    AppliedRecord,
    Author,
    ChannelMove,
    HistoryEntry,
    Release,
    ReleaseDraft,
    Report,
    Serving,
    State,
    Version,
)
from tabard_registry.identity.identity import Identity
from tabard_registry.release.sampling import Sampling
from tabard_server.errors import invalid
from tabard_server.publishing.author import author_of
from tabard_server.rpc.names import name_of, names_of, number_of
from tabard_server.rpc.registry.sampling import read_sampling, write_sampling
from tabard_server.rpc.times import write_time

M = TypeVar("M", bound=Message)

_KIND = adapter_pb2.ReleaseKind.DESCRIPTOR
_PURPOSE = adapter_pb2.Purpose.DESCRIPTOR
RELEASES_SHOWN_MAX = 16
"""Releases that a release line is shown with; the others are listed."""
RECIPES_SHOWN_MAX = 100
"""Recipes that are named among what depends on a release; all are counted."""


class AuthoredMessage(Protocol):
    """What the messages of all acts say: who, why, and the caller's key for the act."""

    actor: str
    reason: str
    request_id: str


class StandingRequest(AuthoredMessage, Protocol):
    """What the messages that change how one release stands have in common."""

    ref: str


def read_author(message: AuthoredMessage, *, identity: Identity) -> Author:
    """Read who acts and why; `identity` is who calls.

    Raises:
        InvalidRequest: A field is too long.
    """
    return author_of(
        message.actor, reason=message.reason, request_id=message.request_id, identity=identity
    )


def read_draft(message: registry_service_pb2.ReleaseDraft) -> ReleaseDraft:
    """Read what an author says of a release.

    Raises:
        InvalidName: Its name or version cannot be read.
        InvalidField: How it wants to be sampled cannot be.
        InvalidRequest: There is no such kind, or no such sampler.
    """
    return ReleaseDraft(
        adapter=AdapterName.parse(message.adapter),
        version=Version.parse(message.version),
        purpose=read_purpose(message.purpose),
        notes=message.notes,
        licence=message.licence,
        title=message.title,
        trigger_words=tuple(message.trigger_words),
        kind=read_kind(message.kind),
        sampling=read_sampling(message.sampling),
    )


def write_release(release: Release, *, state: State) -> adapter_pb2.Release:
    """Write a release; `state` knows how the members of a recipe stand."""
    previews = release.health.newest("previews")
    return _alike(
        adapter_pb2.Release,
        release,
        adapter=str(release.adapter),
        version=str(release.version),
        digest=str(release.digest),
        publish_time=write_time(release.published_at),
        training=dict(release.training),
        parent_digest=str(release.parent) if release.parent else "",
        members=[
            adapter_pb2.Member(
                adapter=str(member.adapter),
                version=str(member.version),
                digest=str(member.digest),
                weight=member.weight,
            )
            for member in release.members
        ],
        troubled_members=[str(member) for member in state.troubled_members(release)],
        signatures=[_alike(adapter_pb2.ReleaseSignature, one) for one in release.signatures],
        previews_digest=str(previews.document) if previews else "",
        sampling=write_sampling(release.sampling),
    )


def read_member(message: adapter_pb2.WeightedRef) -> AdapterRef:
    """Read a member of a recipe.

    Raises:
        InvalidName: Its ref or its weight cannot be read, or there are two weights.
        InvalidRequest: It has controls.
    """
    if message.HasField("controls"):
        raise invalid(
            "members",
            f"the member {message.ref[:64]!r} has controls",
            reason="CONTROL_NOT_SERVED",
            hint="a recipe has weights; controls are said where it is drawn",
        )
    weight = message.weight if message.HasField("weight") else None
    return AdapterRef.parse(message.ref, weight=weight)


def write_adapter(adapter: Adapter, *, state: State, bytes_max: int) -> adapter_pb2.Adapter:
    """Write a release line with its newest releases, and its channels by name."""
    releases: list[adapter_pb2.Release] = []
    for release in adapter.releases[:RELEASES_SHOWN_MAX]:
        written = write_release(release, state=state)
        bytes_max -= written.ByteSize()
        if releases and bytes_max < 0:
            break
        releases.append(written)
    return adapter_pb2.Adapter(
        name=str(adapter.name),
        releases=releases,
        release_count=len(adapter.by_digest),
        channels=[
            adapter_pb2.Channel(
                name=channel.name,
                digest=str(channel.digest),
                version=str(channel.version),
                seq=channel.seq,
            )
            for _name, channel in sorted(adapter.channels.items())
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
    """Write a record of the log, as somebody may be told of it, with what the fold made of it."""
    record = applied.record
    return _alike(
        adapter_pb2.Record,
        record,
        time=write_time(record.time),
        prev=str(record.prev),
        actions=[
            _alike(
                adapter_pb2.Action,
                action,
                previous_digest=str(effect.previous_digest or ""),
                effective=effect.effective,
                note=effect.note,
            )
            for action, effect in zip(record.actions, applied.effects, strict=True)
        ],
    )


def write_acts(acts: Sequence[HistoryEntry]) -> adapter_pb2.Record:
    """Write the acts of one record; its id and its digest are not known here."""
    return _alike(
        adapter_pb2.Record,
        acts[0],
        id="",
        prev="",
        time=write_time(acts[0].time),
        actions=[_alike(adapter_pb2.Action, entry) for entry in acts],
    )


def write_serving(serving: Serving, *, state: State) -> registry_service_pb2.Serving:
    """Write what a channel pointed to, and the act that moved it there."""
    return registry_service_pb2.Serving(
        adapter=str(serving.adapter),
        channel=serving.channel,
        release=write_release(serving.release, state=state),
        since=write_acts([serving.since]),
    )


def write_report(report: Report) -> registry_service_pb2.CheckReport:
    """Write what the checks said."""
    return _alike(
        registry_service_pb2.CheckReport,
        report,
        coverage=[_alike(registry_service_pb2.Coverage, part) for part in report.coverage],
        problems=[_alike(registry_service_pb2.Problem, problem) for problem in report.problems],
        sampling=write_sampling(Sampling.from_json(report.sampling)),
    )


def read_kind(number: int, *, field: str = "draft.kind") -> str | None:
    """Read the kind an author insists on; None when unspecified.

    Raises:
        InvalidRequest: There is no such kind.
    """
    name = name_of(_KIND, number)
    if name is None:
        raise invalid(
            field,
            f"there is no kind {number}",
            reason="KIND_NOT_SUPPORTED",
            hint=f"use one of: {', '.join(names_of(_KIND))}",
        )
    return name or None


def read_words(message: registry_service_pb2.EditRequest) -> dict[str, str | Sequence[str]]:
    """Read the words that an edit says; what is absent stays as it is."""
    said: dict[str, str | Sequence[str]] = {
        name: getattr(message, name)
        for name in ("notes", "licence", "title")
        if message.HasField(name)
    }
    if message.HasField("purpose"):
        said["purpose"] = read_purpose(message.purpose)
    if message.HasField("trigger_words"):
        said["trigger_words"] = tuple(message.trigger_words.trigger_words)
    return said


def read_purpose(number: int) -> str:
    """Read a purpose; a number from a newer client counts as not said."""
    return name_of(_PURPOSE, number) or ""


def _alike(message: type[M], value: object, /, **others: Any) -> M:
    """Fill a message with what its value calls by the same names; `others` are given."""
    alike = (field for field in message.DESCRIPTOR.fields if field.name not in others)
    return message(**{one.name: _said(one, getattr(value, one.name)) for one in alike}, **others)


def _said(field: Any, value: Any) -> Any:
    return value if field.enum_type is None else number_of(field.enum_type, value)
