# SPDX-License-Identifier: Apache-2.0
"""From protobuf messages to the SDK's values, and the names of enum members both ways.

The one place that knows both shapes; it never calls the network.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, MutableSequence
from typing import TYPE_CHECKING, Any, TypeVar

from tabard.errors import Internal, InvalidArgument
from tabard.history import Action, Record, ServedAt, Serving
from tabard.operations import Cause, MemoryPlan, Resident, ServerStatus
from tabard.releases import (
    Adapter,
    Channel,
    CheckReport,
    Coverage,
    Manifest,
    Member,
    Problem,
    Published,
    PublishedRecipe,
    Release,
    ReleaseSignature,
)
from tabard.result import (
    Accepted,
    Done,
    GeneratedImage,
    GenerateEvent,
    Preview,
    Progress,
    WornRecipe,
    WornRelease,
)
from tabard.v1 import adapter_pb2, generation_service_pb2, operations_service_pb2
from tabard.v1 import registry_service_pb2 as registry_pb2

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

N = TypeVar("N")
T = TypeVar("T", bound="DataclassInstance")

KINDS: dict[str, adapter_pb2.ReleaseKind] = {
    "lora": adapter_pb2.RELEASE_KIND_LORA,
    "textual_inversion": adapter_pb2.RELEASE_KIND_TEXTUAL_INVERSION,
    "dreambooth": adapter_pb2.RELEASE_KIND_DREAMBOOTH,
    "recipe": adapter_pb2.RELEASE_KIND_RECIPE,
}
PURPOSES: dict[str, adapter_pb2.Purpose] = {
    "concept": adapter_pb2.PURPOSE_CONCEPT,
    "style": adapter_pb2.PURPOSE_STYLE,
    "subject": adapter_pb2.PURPOSE_SUBJECT,
}
_KIND_NAMES = {number: name for name, number in KINDS.items()}
_PURPOSE_NAMES = {number: name for name, number in PURPOSES.items()}


def kind_number(name: str) -> adapter_pb2.ReleaseKind:
    """Give the enum member of a kind; the empty name means "read it from the file".

    Raises:
        InvalidArgument: No such kind.
    """
    return _number("kind", name, known=KINDS, silence=adapter_pb2.RELEASE_KIND_UNSPECIFIED)


def purpose_number(name: str) -> adapter_pb2.Purpose:
    """Give the enum member of a purpose; the empty name means "not said".

    Raises:
        InvalidArgument: No such purpose.
    """
    return _number("purpose", name, known=PURPOSES, silence=adapter_pb2.PURPOSE_UNSPECIFIED)


def read_release(message: adapter_pb2.Release) -> Release:
    """Give the value of a release message."""
    return same_fields(
        Release,
        message,
        kind=_KIND_NAMES.get(message.kind, ""),
        purpose=_PURPOSE_NAMES.get(message.purpose, ""),
        members=tuple(same_fields(Member, member) for member in message.members),
        signatures=tuple(same_fields(ReleaseSignature, one) for one in message.signatures),
    )


def read_adapter(message: adapter_pb2.Adapter) -> Adapter:
    """Give the value of an adapter message."""
    return Adapter(
        name=message.name,
        releases=tuple(map(read_release, message.releases)),
        channels=tuple(same_fields(Channel, channel) for channel in message.channels),
    )


def read_record(message: adapter_pb2.Record) -> Record:
    """Give the value of a log record message."""
    actions = tuple(same_fields(Action, action) for action in message.actions)
    return same_fields(Record, message, actions=actions)


def read_served_at(message: registry_pb2.ServedAtResponse) -> ServedAt:
    """Give the value of what was served at a time."""
    servings = tuple(
        Serving(
            adapter=serving.adapter,
            channel=serving.channel,
            release=read_release(serving.release),
            since=read_record(serving.since),
        )
        for serving in message.servings
    )
    return ServedAt(servings=servings, is_truncated=message.is_truncated)


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
    return report_like(message, kind=_KIND_NAMES.get(message.kind, ""))


def report_like(source: Any, *, kind: str) -> CheckReport:
    """Give a report that says what another one says, be it a message or the registry's own."""
    return same_fields(
        CheckReport,
        source,
        kind=kind,
        problems=tuple(same_fields(Problem, problem) for problem in source.problems),
        coverage=tuple(same_fields(Coverage, part) for part in source.coverage),
    )


def read_published(message: registry_pb2.PublishResponse) -> Published:
    """Give the value of a publish response."""
    release, report = read_release(message.release), read_report(message.report)
    return Published(release=release, created=message.created, report=report)


def read_published_recipe(message: registry_pb2.PublishRecipeResponse) -> PublishedRecipe:
    """Give the value of the answer to a recipe."""
    return PublishedRecipe(release=read_release(message.release), created=message.created)


def read_status(message: operations_service_pb2.GetStatusResponse) -> ServerStatus:
    """Give the value of a status response."""
    plan = message.memory_plan if message.HasField("memory_plan") else None
    return same_fields(
        ServerStatus,
        message,
        residents=tuple(same_fields(Resident, one) for one in message.residents),
        memory_plan=same_fields(MemoryPlan, plan) if plan is not None else None,
        causes=tuple(same_fields(Cause, one) for one in message.causes),
    )


def knows_event(message: generation_service_pb2.GenerateResponse) -> bool:
    """Say whether the message holds an event this SDK knows; newer servers may send others."""
    return message.WhichOneof("event") is not None


def read_event(message: generation_service_pb2.GenerateResponse) -> GenerateEvent:
    """Give the typed event of one stream message that `knows_event`."""
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
            return same_fields(Done, message.done)


def same_fields(wanted: type[T], source: object, /, **made: Any) -> T:
    """Make a value of what has the same fields, a message or a value; `made` are the others.

    What is repeated becomes a tuple, and a map a dict.
    """
    names = [one.name for one in dataclasses.fields(wanted) if one.name not in made]
    return wanted(**{name: _own(getattr(source, name)) for name in names}, **made)


def _own(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return tuple(value) if isinstance(value, MutableSequence) else value


def _read_worn(message: generation_service_pb2.WornRelease) -> WornRelease:
    recipe = same_fields(WornRecipe, message.recipe) if message.HasField("recipe") else None
    return same_fields(WornRelease, message, recipe=recipe)


def _number(what: str, name: str, *, known: Mapping[str, N], silence: N) -> N:
    if name and name not in known:
        raise InvalidArgument(
            f"there is no {what} '{name}'",
            reason=f"UNKNOWN_{what.upper()}",
            hint=f"use one of: {', '.join(known)}",
        )
    return known[name] if name else silence
