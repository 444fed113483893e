# SPDX-License-Identifier: Apache-2.0
"""From protobuf messages to the SDK's values, and the names of enum members both ways.

The one place that knows both shapes; it never calls the network.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from tabard.errors import Internal, InvalidArgument
from tabard.history import Action, Record, ServedAt, Serving
from tabard.operations import Drained, MemoryPlan, Resident, ServerStatus
from tabard.releases import (
    Adapter,
    Channel,
    ChannelMove,
    CheckReport,
    Coverage,
    Manifest,
    Member,
    Problem,
    Published,
    PublishedRecipe,
    Release,
    ReleaseSignature,
    SearchHit,
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
    if not name:
        return adapter_pb2.RELEASE_KIND_UNSPECIFIED
    if name not in KINDS:
        raise _unknown_name("kind", name, KINDS)
    return KINDS[name]


def purpose_number(name: str) -> adapter_pb2.Purpose:
    """Give the enum member of a purpose; the empty name means "not said".

    Raises:
        InvalidArgument: No such purpose.
    """
    if not name:
        return adapter_pb2.PURPOSE_UNSPECIFIED
    if name not in PURPOSES:
        raise _unknown_name("purpose", name, PURPOSES)
    return PURPOSES[name]


def read_release(message: adapter_pb2.Release) -> Release:
    """Give the value of a release message."""
    return Release(
        adapter=message.adapter,
        version=message.version,
        digest=message.digest,
        kind=_KIND_NAMES.get(message.kind, ""),
        purpose=_PURPOSE_NAMES.get(message.purpose, ""),
        base_family=message.base_family,
        base_fingerprint=message.base_fingerprint,
        trigger_words=tuple(message.trigger_words),
        rank=message.rank,
        target_count=message.target_count,
        original_bytes=message.original_bytes,
        dialect=message.dialect,
        notes=message.notes,
        licence=message.licence,
        training=dict(message.training),
        seq=message.seq,
        published_at=message.published_at,
        published_by=message.published_by,
        yanked=message.yanked,
        yank_reason=message.yank_reason,
        parent_digest=message.parent_digest,
        publish_reason=message.publish_reason,
        quarantined=message.quarantined,
        quarantine_reason=message.quarantine_reason,
        purged=message.purged,
        purge_reason=message.purge_reason,
        members=tuple(
            Member(
                adapter=member.adapter,
                version=member.version,
                digest=member.digest,
                weight=member.weight,
            )
            for member in message.members
        ),
        troubled_members=tuple(message.troubled_members),
        signatures=tuple(
            ReleaseSignature(key_id=one.key_id, signature=one.signature, seq=one.seq)
            for one in message.signatures
        ),
    )


def read_adapter(message: adapter_pb2.Adapter) -> Adapter:
    """Give the value of an adapter message."""
    return Adapter(
        name=message.name,
        releases=tuple(read_release(release) for release in message.releases),
        channels=tuple(
            Channel(
                name=channel.name, digest=channel.digest, version=channel.version, seq=channel.seq
            )
            for channel in message.channels
        ),
    )


def read_record(message: adapter_pb2.Record) -> Record:
    """Give the value of a log record message."""
    return Record(
        seq=message.seq,
        id=message.id,
        time=message.time,
        actor=message.actor,
        reason=message.reason,
        actions=tuple(_read_action(action) for action in message.actions),
        prev=message.prev,
    )


def read_served_at(message: registry_pb2.ServedAtResponse) -> ServedAt:
    """Give the value of what was served at a time."""
    return ServedAt(
        servings=tuple(
            Serving(
                adapter=serving.adapter,
                channel=serving.channel,
                release=read_release(serving.release),
                since=read_record(serving.since),
            )
            for serving in message.servings
        ),
        is_truncated=message.is_truncated,
    )


def read_hits(message: registry_pb2.SearchResponse) -> tuple[SearchHit, ...]:
    """Give the values of what a search found."""
    return tuple(
        SearchHit(adapter=hit.adapter, snippet=hit.snippet, release_count=hit.release_count)
        for hit in message.hits
    )


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
    return CheckReport(
        accepted=message.accepted,
        kind=_KIND_NAMES.get(message.kind, ""),
        dialect=message.dialect,
        rank=message.rank,
        target_count=message.target_count,
        tensor_count=message.tensor_count,
        tensors_applied=message.tensors_applied,
        trigger_words=tuple(message.trigger_words),
        problems=tuple(
            Problem(
                reason=problem.reason,
                message=problem.message,
                remedy=problem.remedy,
                keys=tuple(problem.keys),
                is_warning=problem.is_warning,
            )
            for problem in message.problems
        ),
        resident_bytes=message.resident_bytes,
        training=dict(message.training),
        mode=message.mode,
        alphas=tuple(message.alphas),
        methods=dict(message.methods),
        coverage=tuple(
            Coverage(component=x.component, kind=x.kind, changed=x.changed, total=x.total)
            for x in message.coverage
        ),
        base_family=message.base_family,
        base_fingerprint=message.base_fingerprint,
        base_match=message.base_match,
        declared=dict(message.declared),
    )


def read_published(message: registry_pb2.PublishResponse) -> Published:
    """Give the value of a publish response."""
    return Published(
        release=read_release(message.release),
        created=message.created,
        report=read_report(message.report),
    )


def read_published_recipe(message: registry_pb2.PublishRecipeResponse) -> PublishedRecipe:
    """Give the value of the answer to a recipe."""
    return PublishedRecipe(release=read_release(message.release), created=message.created)


def read_move(message: registry_pb2.ChannelMove) -> ChannelMove:
    """Give the value of a channel move message."""
    return ChannelMove(
        adapter=message.adapter,
        channel=message.channel,
        previous_digest=message.previous_digest,
        previous_version=message.previous_version,
        digest=message.digest,
        version=message.version,
        seq=message.seq,
        moved=message.moved,
    )


def read_status(message: operations_service_pb2.GetStatusResponse) -> ServerStatus:
    """Give the value of a status response."""
    return ServerStatus(
        version=message.version,
        base_family=message.base_family,
        base_fingerprint=message.base_fingerprint,
        base_source=message.base_source,
        device=message.device,
        registry_id=message.registry_id,
        registry_seq=message.registry_seq,
        rows_waiting=message.rows_waiting,
        rows_running=message.rows_running,
        draining=message.draining,
        residents=tuple(read_resident(resident) for resident in message.residents),
        samplers=tuple(message.samplers),
        uptime_seconds=message.uptime_seconds,
        native_width=message.native_width,
        native_height=message.native_height,
        registry_lag_seconds=message.registry_lag_seconds,
        memory_plan=_read_plan(message.memory_plan) if message.HasField("memory_plan") else None,
        merged_digests=tuple(message.merged_digests),
    )


def _read_plan(message: operations_service_pb2.MemoryPlan) -> MemoryPlan:
    return MemoryPlan(
        base_bytes=message.base_bytes,
        slot_bytes=message.slot_bytes,
        merged_bytes=message.merged_bytes,
        gathered_bytes=message.gathered_bytes,
        activation_bytes=message.activation_bytes,
        free_bytes=message.free_bytes,
    )


def read_resident(message: operations_service_pb2.Resident) -> Resident:
    """Give the value of a resident message."""
    return Resident(
        adapter=message.adapter,
        version=message.version,
        digest=message.digest,
        tier=message.tier,
        bytes=message.bytes,
        leases=message.leases,
    )


def read_drained(message: operations_service_pb2.DrainResponse) -> Drained:
    """Give the value of a drain response."""
    return Drained(jobs_left=message.jobs_left)


def knows_event(message: generation_service_pb2.GenerateResponse) -> bool:
    """Say whether the message holds an event this SDK knows; newer servers may send others."""
    return message.WhichOneof("event") is not None


def read_event(message: generation_service_pb2.GenerateResponse) -> GenerateEvent:
    """Give the typed event of one stream message that `knows_event`."""
    match message.WhichOneof("event"):
        case "accepted":
            return _read_accepted(message.accepted)
        case "progress":
            progress = message.progress
            return Progress(index=progress.index, step=progress.step, steps=progress.steps)
        case "preview":
            preview = message.preview
            return Preview(index=preview.index, step=preview.step, png=preview.png)
        case "image":
            image = message.image
            return GeneratedImage(
                index=image.index,
                seed=image.seed,
                png=image.png,
                provenance_json=image.provenance_json,
            )
        case _:
            return Done(queue_ms=message.done.queue_ms, total_ms=message.done.total_ms)


def _read_accepted(message: generation_service_pb2.Accepted) -> Accepted:
    return Accepted(
        job_id=message.job_id,
        worn=tuple(
            WornRelease(
                ref=worn.ref,
                adapter=worn.adapter,
                version=worn.version,
                digest=worn.digest,
                weight=worn.weight,
                recipe=_read_recipe(worn.recipe) if worn.HasField("recipe") else None,
            )
            for worn in message.worn
        ),
        seeds=tuple(message.seeds),
        registry_seq=message.registry_seq,
        queue_depth=message.queue_depth,
    )


def _read_action(message: adapter_pb2.Action) -> Action:
    return Action(
        type=message.type,
        adapter=message.adapter,
        digest=message.digest,
        version=message.version,
        channel=message.channel,
        previous_digest=message.previous_digest,
        effective=message.effective,
        note=message.note,
        actor=message.actor,
        reason=message.reason,
    )


def _read_recipe(message: generation_service_pb2.WornRecipe) -> WornRecipe:
    return WornRecipe(
        adapter=message.adapter,
        version=message.version,
        digest=message.digest,
        weight=message.weight,
    )


def _unknown_name(what: str, name: str, known: Iterable[str]) -> InvalidArgument:
    return InvalidArgument(
        f"there is no {what} '{name}'",
        reason=f"UNKNOWN_{what.upper()}",
        hint=f"use one of: {', '.join(known)}",
    )
