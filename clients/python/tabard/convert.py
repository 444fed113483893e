# SPDX-License-Identifier: Apache-2.0
"""From protobuf messages to the SDK's values: times become texts, durations seconds, enums names.

The one place that knows both shapes; it never calls the network.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
from collections.abc import Mapping, MutableSequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from tabard.comparison import Diff, FieldDiff, LayerDiff, LayerSide
from tabard.enums import member_name
from tabard.errors import Internal, InvalidArgument
from tabard.history import Action, Record, Serving
from tabard.releases import (
    Adapter,
    Channel,
    CheckReport,
    Coverage,
    Dependents,
    Manifest,
    Member,
    Problem,
    Published,
    PublishedRecipe,
    Release,
    ReleaseSignature,
)

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from tabard.operations import Drained, Resident, ServerStatus, Verification
    from tabard.result import GenerateEvent, WornRelease
    from tabard.v1 import adapter_pb2, generation_service_pb2, operations_service_pb2
    from tabard.v1 import registry_service_pb2 as registry_pb2

T = TypeVar("T", bound="DataclassInstance")


def read_release(message: adapter_pb2.Release) -> Release:
    """Give the value of a release message."""
    return same_fields(
        Release,
        message,
        published_at=_own(message, "publish_time"),
        members=tuple(same_fields(Member, member) for member in message.members),
        signatures=tuple(same_fields(ReleaseSignature, one) for one in message.signatures),
    )


def read_adapter(message: adapter_pb2.Adapter) -> Adapter:
    """Give the value of an adapter message."""
    return same_fields(
        Adapter,
        message,
        releases=tuple(map(read_release, message.releases)),
        channels=tuple(same_fields(Channel, channel) for channel in message.channels),
    )


def read_record(message: adapter_pb2.Record) -> Record:
    """Give the value of a log record message."""
    actions = tuple(same_fields(Action, action) for action in message.actions)
    return same_fields(Record, message, actions=actions)


def read_serving(message: registry_pb2.Serving) -> Serving:
    """Give the value of what a channel pointed to."""
    release, since = read_release(message.release), read_record(message.since)
    return same_fields(Serving, message, release=release, since=since)


def read_manifest(message: registry_pb2.GetManifestResponse) -> Manifest:
    """Give the value of a manifest.

    Raises:
        Internal: The content does not have the release's digest.
    """
    release = read_release(message.release)
    found = f"sha256:{hashlib.sha256(message.manifest).hexdigest()}"
    if found != release.digest:
        raise Internal(
            f"the manifest of {release.adapter} {release.version} has digest {found}, "
            f"not {release.digest}",
            reason="MANIFEST_DAMAGED",
            hint="do not sign it; ask another server, and look into this one",
        )
    return Manifest(release=release, content=message.manifest)


def read_report(message: registry_pb2.CheckReport) -> CheckReport:
    """Give the value of a check report message."""
    return report_like(message)


def report_like(source: Any) -> CheckReport:
    """Give a report that says what another one says, be it a message or the registry's own."""
    return same_fields(
        CheckReport,
        source,
        problems=tuple(same_fields(Problem, problem) for problem in source.problems),
        coverage=tuple(same_fields(Coverage, part) for part in source.coverage),
    )


def read_published(message: registry_pb2.PublishResponse) -> Published:
    """Give the value of a publish response."""
    release, report = read_release(message.release), read_report(message.report)
    return same_fields(Published, message, release=release, report=report)


def read_diff(message: registry_pb2.DiffResponse) -> Diff:
    """Give the value of two releases side by side."""
    return Diff(
        release=read_release(message.release),
        other_release=read_release(message.other_release),
        layers=tuple(map(_read_layer, message.layers)),
        fields=tuple(same_fields(FieldDiff, one) for one in message.fields),
    )


def read_dependents(message: registry_pb2.GetDependentsResponse) -> Dependents:
    """Give the value of what depends on a release."""
    return same_fields(Dependents, message, release=read_release(message.release))


def read_published_recipe(message: registry_pb2.PublishRecipeResponse) -> PublishedRecipe:
    """Give the value of the answer to a recipe."""
    return same_fields(PublishedRecipe, message, release=read_release(message.release))


def read_status(message: operations_service_pb2.GetStatusResponse) -> ServerStatus:
    """Give the value of a status response."""
    # Values are imported by those who read them: a command waits for every class that is made.
    from tabard.operations import Cause, MemoryPlan, Resident, ServerStatus  # noqa: PLC0415

    plan = message.memory_plan if message.HasField("memory_plan") else None
    return same_fields(
        ServerStatus,
        message,
        uptime_seconds=_own(message, "uptime"),
        registry_lag_seconds=_own(message, "registry_lag"),
        residents=tuple(same_fields(Resident, one) for one in message.residents),
        memory_plan=same_fields(MemoryPlan, plan) if plan is not None else None,
        causes=tuple(
            same_fields(Cause, one, seconds=_own(one, "duration")) for one in message.causes
        ),
    )


def read_verification(message: operations_service_pb2.VerifyResponse) -> Verification:
    """Give the value of what a server found in its memory."""
    from tabard.operations import Verification, VerifiedComponent  # noqa: PLC0415

    components = tuple(same_fields(VerifiedComponent, one) for one in message.components)
    return Verification(components=components, seconds=_own(message, "duration"))


def read_resident(message: operations_service_pb2.WarmResponse) -> Resident:
    """Give the value of a release in memory."""
    from tabard.operations import Resident  # noqa: PLC0415

    return same_fields(Resident, message.resident)


def read_drained(message: operations_service_pb2.DrainResponse) -> Drained:
    """Give the value of how far a drain got."""
    from tabard.operations import Drained  # noqa: PLC0415

    return same_fields(Drained, message)


def knows_event(message: generation_service_pb2.GenerateResponse) -> bool:
    """Say whether the message holds an event this SDK knows; newer servers may send others."""
    return message.WhichOneof("event") is not None


def read_event(message: generation_service_pb2.GenerateResponse) -> GenerateEvent:
    """Give the typed event of one stream message that `knows_event`."""
    from tabard.result import (  # noqa: PLC0415
        Accepted,
        Done,
        GeneratedImage,
        Preview,
        Progress,
    )

    match message.WhichOneof("event"):
        case "accepted":
            accepted = message.accepted
            return same_fields(Accepted, accepted, worn=tuple(map(_read_worn, accepted.worn)))
        case "progress":
            return same_fields(Progress, message.progress)
        case "preview":
            return same_fields(Preview, message.preview)
        case "image":
            return same_fields(GeneratedImage, message.image)
        case _:
            queued, total = (_own(message.done, f"{name}_duration") for name in ("queue", "total"))
            return Done(queue_ms=queued * 1000, total_ms=total * 1000)


def same_fields(wanted: type[T], source: object, /, **made: Any) -> T:
    """Make a value of what has the same fields, a message or a value; `made` are the others.

    What is repeated becomes a tuple, a map a dict, and the member of an enum its name.
    """
    names = [one.name for one in dataclasses.fields(wanted) if one.name not in made]
    return wanted(**{name: _own(source, name) for name in names}, **made)


def timestamp_of(time: datetime | str) -> Timestamp | None:
    """Give the message of a time, an aware datetime or RFC 3339; None for the empty text.

    Raises:
        InvalidArgument: It has no offset from UTC, or is no time.
    """
    if not time:
        return None
    said: datetime | None = None
    with contextlib.suppress(ValueError):
        said = datetime.fromisoformat(time) if isinstance(time, str) else time
    message = Timestamp()
    if said is not None and said.tzinfo is not None:
        with contextlib.suppress(ValueError, OverflowError):
            message.FromDatetime(said.astimezone(UTC))
            return message
    raise InvalidArgument(
        f"'{time}' is not a time with an offset from UTC",
        reason="TIME_INVALID",
        hint="write RFC 3339, like 2026-11-23T12:00:00Z, or give an aware datetime",
    )


def _own(source: object, name: str) -> Any:
    value = getattr(source, name)
    if isinstance(source, Message):
        field: Any = source.DESCRIPTOR.fields_by_name[name]
        if field.enum_type is not None:
            return member_name(field.enum_type, value)
        if isinstance(value, Timestamp):
            return _time_text(value) if source.HasField(name) else ""
        if isinstance(value, Duration):
            return value.seconds + value.nanos / 1e9
    if isinstance(value, Mapping):
        return dict(value)
    return tuple(value) if isinstance(value, MutableSequence) else value


def _time_text(message: Timestamp) -> str:
    try:
        time = message.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise Internal(
            "the server says a time that no calendar has",
            reason="ANSWER_DAMAGED",
            hint="look at the log of the server, or ask another one",
        ) from error
    # As the log has it, so that texts compare as times do.
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _read_layer(message: registry_pb2.LayerDiff) -> LayerDiff:
    sides = {name: _read_side(message, name) for name in ("left", "right")}
    distance = message.distance if message.HasField("distance") else None
    return same_fields(LayerDiff, message, distance=distance, **sides)


def _read_side(message: registry_pb2.LayerDiff, name: str) -> LayerSide | None:
    if not message.HasField(name):
        return None
    side = getattr(message, name)
    return same_fields(LayerSide, side, norm=side.norm if side.HasField("norm") else None)


def _read_worn(message: generation_service_pb2.WornRelease) -> WornRelease:
    from tabard.result import WornRecipe, WornRelease  # noqa: PLC0415

    recipe = same_fields(WornRecipe, message.recipe) if message.HasField("recipe") else None
    return same_fields(WornRelease, message, recipe=recipe)
