# SPDX-License-Identifier: Apache-2.0
"""Between protobuf messages and the server's values; every shape is known here and nowhere else."""

from collections.abc import Mapping

from livery.v1 import adapter_pb2, generation_service_pb2, registry_service_pb2
from livery_registry import Adapter, AppliedRecord, ChannelMove, Release, Report
from livery_server.errors import invalid
from livery_server.job import Accepted, Done, Event, ImageReady, JobSpec, Preview, Progress

_KINDS: Mapping[str, "adapter_pb2.ReleaseKind"] = {
    "lora": adapter_pb2.RELEASE_KIND_LORA,
    "textual_inversion": adapter_pb2.RELEASE_KIND_TEXTUAL_INVERSION,
    "dreambooth": adapter_pb2.RELEASE_KIND_DREAMBOOTH,
}
_PURPOSES: Mapping[str, "adapter_pb2.Purpose"] = {
    "": adapter_pb2.PURPOSE_UNSPECIFIED,
    "concept": adapter_pb2.PURPOSE_CONCEPT,
    "style": adapter_pb2.PURPOSE_STYLE,
    "subject": adapter_pb2.PURPOSE_SUBJECT,
}


def read_request(
    message: generation_service_pb2.GenerateRequest, *, seconds_left: float | None
) -> JobSpec:
    """Read a generate request; what it leaves out stays None."""

    def said(name: str) -> bool:
        return message.HasField(name)

    return JobSpec(
        prompt=message.prompt,
        negative_prompt=message.negative_prompt,
        adapters=tuple(message.adapters),
        seed=message.seed if said("seed") else None,
        steps=message.num_inference_steps if said("num_inference_steps") else None,
        guidance_scale=message.guidance_scale if said("guidance_scale") else None,
        width=message.width if said("width") else None,
        height=message.height if said("height") else None,
        images=message.num_images if said("num_images") else None,
        sampler=message.sampler,
        is_deterministic=message.deterministic,
        preview_every=message.preview_every,
        seconds_left=seconds_left,
    )


def write_event(event: Event) -> generation_service_pb2.GenerateResponse:
    """Write one event of a job."""
    pb = generation_service_pb2
    match event:
        case Accepted():
            return pb.GenerateResponse(accepted=_accepted(event))
        case Progress(index=index, step=step, steps=steps):
            return pb.GenerateResponse(progress=pb.Progress(index=index, step=step, steps=steps))
        case Preview(index=index, step=step, png=png):
            return pb.GenerateResponse(preview=pb.Preview(index=index, step=step, png=png))
        case ImageReady(index=index, png=png, seed=seed, provenance_json=text):
            image = pb.Image(index=index, png=png, seed=seed, provenance_json=text)
            return pb.GenerateResponse(image=image)
        case Done(queue_seconds=queued, total_seconds=total):
            done = pb.Done(queue_ms=queued * 1000, total_ms=total * 1000)
            return pb.GenerateResponse(done=done)
    raise AssertionError(f"{event} ends the stream as a status")


def write_release(release: Release) -> adapter_pb2.Release:
    """Write a release."""
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
        yanked=release.yanked,
        yank_reason=release.yank_reason,
        parent_digest=str(release.parent) if release.parent else "",
    )


def write_adapter(adapter: Adapter) -> adapter_pb2.Adapter:
    """Write a release line, releases newest first, channels by name."""
    channels = [adapter.channels[name] for name in sorted(adapter.channels)]
    return adapter_pb2.Adapter(
        name=str(adapter.name),
        releases=[write_release(release) for release in adapter.releases],
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
    """Write a record with what the fold made of it."""
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
                previous_digest=str(effect.previous_digest) if effect.previous_digest else "",
                effective=effect.effective,
            )
            for action, effect in zip(record.actions, applied.effects, strict=True)
        ],
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
        InvalidRequest: The kind cannot be published by itself.
    """
    if number == adapter_pb2.RELEASE_KIND_UNSPECIFIED:
        return None
    name = next((name for name, known in _KINDS.items() if known == number), None)
    if name is None:
        raise invalid(
            "draft.kind",
            "releases of this kind cannot be published yet",
            reason="KIND_NOT_SUPPORTED",
            hint=f"use one of: {', '.join(_KINDS)}",
        )
    return name


def read_purpose(number: int) -> str:
    """Read a purpose; a number from a newer client counts as not said."""
    return next((name for name, known in _PURPOSES.items() if known == number), "")


def _accepted(event: Accepted) -> generation_service_pb2.Accepted:
    job = event.job
    return generation_service_pb2.Accepted(
        job_id=job.id,
        worn=[
            generation_service_pb2.WornRelease(
                ref=worn.ref,
                adapter=str(worn.release.adapter),
                version=str(worn.release.version),
                digest=worn.digest,
                weight=worn.weight,
            )
            for worn in job.worn
        ],
        seeds=job.seeds,
        registry_seq=job.registry_seq,
        queue_depth=event.rows_ahead,
    )
