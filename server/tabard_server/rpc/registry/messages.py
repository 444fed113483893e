# SPDX-License-Identifier: Apache-2.0
"""The registry's values as protobuf messages, and what callers say of them read back.

In: the registry's values. Out: messages, and the other way round for enums and authors.
"""

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any, Protocol, TypeVar

from google.protobuf.message import Message

from tabard.v1 import adapter_pb2, registry_service_pb2
from tabard_registry import (
    Adapter,
    AdapterName,
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
from tabard_server.errors import invalid
from tabard_server.publishing.author import author_of

M = TypeVar("M", bound=Message)

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
        InvalidRequest: A field is too long.
    """
    return author_of(message.actor, reason=message.reason, request_id=message.request_id)


def read_draft(message: registry_service_pb2.ReleaseDraft) -> ReleaseDraft:
    """Read what an author says of a release.

    Raises:
        InvalidName: Its name or version cannot be read.
        InvalidRequest: There is no such kind.
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
    )


def write_release(release: Release, *, state: State) -> adapter_pb2.Release:
    """Write a release; `state` knows how the members of a recipe stand."""
    return _alike(
        adapter_pb2.Release,
        release,
        adapter=str(release.adapter),
        version=str(release.version),
        digest=str(release.digest),
        kind=_KINDS[release.kind],
        purpose=_PURPOSES[release.purpose],
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
    )


def write_adapter(adapter: Adapter, *, state: State) -> adapter_pb2.Adapter:
    """Write a release line, releases newest first, channels by name."""
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
            for _name, channel in sorted(adapter.channels.items())
        ],
    )


def write_page(
    page: Iterable[Adapter], *, following: str, state: State, bytes_max: int
) -> registry_service_pb2.ListAdaptersResponse:
    """Write a page of release lines, shorter than it was asked for when it has bytes enough."""
    written = (write_adapter(adapter, state=state) for adapter in page)
    adapters, is_whole = _some(written, bytes_max=bytes_max)
    return registry_service_pb2.ListAdaptersResponse(
        adapters=adapters, next_page_token=following if is_whole else adapters[-1].name
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
    return _alike(
        adapter_pb2.Record,
        record,
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


def write_history(entries: Iterable[HistoryEntry]) -> list[adapter_pb2.Record]:
    """Write acts, those of one record together; ids and digests of records are not known here."""
    grouped = (list(acts) for _seq, acts in groupby(entries, key=lambda entry: entry.seq))
    return [
        _alike(
            adapter_pb2.Record,
            acts[0],
            id="",
            prev="",
            actions=[_alike(adapter_pb2.Action, entry) for entry in acts],
        )
        for acts in grouped
    ]


def write_servings(
    servings: Iterable[Serving], *, is_truncated: bool, state: State, bytes_max: int
) -> registry_service_pb2.ServedAtResponse:
    """Write what channels pointed to, as far as the bytes go."""
    written = (write_serving(one, state=state) for one in servings)
    some, is_whole = _some(written, bytes_max=bytes_max)
    return registry_service_pb2.ServedAtResponse(
        servings=some, is_truncated=is_truncated or not is_whole
    )


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
    return _alike(
        registry_service_pb2.CheckReport,
        report,
        kind=_KINDS.get(report.kind, adapter_pb2.RELEASE_KIND_UNSPECIFIED),
        coverage=[_alike(registry_service_pb2.Coverage, part) for part in report.coverage],
        problems=[_alike(registry_service_pb2.Problem, problem) for problem in report.problems],
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


def _some(messages: Iterable[M], *, bytes_max: int) -> tuple[list[M], bool]:
    """Take messages until they have bytes enough, and say whether these are all."""
    some: list[M] = []
    bytes_left = bytes_max
    for message in messages:
        bytes_left -= message.ByteSize()
        if some and bytes_left < 0:
            return some, False
        some.append(message)
    return some, True


def _alike(message: type[M], value: object, /, **others: Any) -> M:
    """Fill a message with what its value calls by the same names; `others` are given."""
    alike = message.DESCRIPTOR.fields_by_name.keys() - others.keys()
    return message(**{name: getattr(value, name) for name in alike}, **others)
