# SPDX-License-Identifier: Apache-2.0
"""Between generate messages and the server's jobs and events."""

from google.protobuf.descriptor import EnumDescriptor

from tabard.v1 import adapter_pb2, generation_service_pb2
from tabard_registry import Digest, InvalidName
from tabard_registry.identity.identity import Identity
from tabard_server.callers.caller import Caller
from tabard_server.engine_port.drawing import Size, SkippedLayers, WantedDrawing
from tabard_server.engine_port.regions import WantedRegion
from tabard_server.engine_port.weights.strength import Point
from tabard_server.errors import invalid
from tabard_server.jobs.job import (
    Accepted,
    Again,
    Done,
    Event,
    ImageFormat,
    ImageReady,
    JobSpec,
    Preview,
    Progress,
    WantedAdapter,
    WornRecipe,
    Written,
)
from tabard_server.jobs.words.controls import NOTHING_SAID, SaidControls, write_controls
from tabard_server.jobs.words.regions import read_region
from tabard_server.rpc.names import name_of
from tabard_server.rpc.times import write_duration
from tabard_server.scheduler.claims import Priority

_SYNTAX = generation_service_pb2.PromptSyntax.DESCRIPTOR
_MATCH = generation_service_pb2.TokenMatch.DESCRIPTOR
_PRIORITIES = {
    generation_service_pb2.PRIORITY_UNSPECIFIED: Priority.NORMAL,
    generation_service_pb2.PRIORITY_LOW: Priority.LOW,
    generation_service_pb2.PRIORITY_NORMAL: Priority.NORMAL,
    generation_service_pb2.PRIORITY_HIGH: Priority.HIGH,
}


FORMATS: dict[ImageFormat, generation_service_pb2.ImageFormat] = {
    "png": generation_service_pb2.IMAGE_FORMAT_PNG,
    "jpeg": generation_service_pb2.IMAGE_FORMAT_JPEG,
    "webp": generation_service_pb2.IMAGE_FORMAT_WEBP,
}
"""How images are written, by the names that they have within."""
_QUALITY_MAX = 100


def read_request(
    message: generation_service_pb2.GenerateRequest,
    *,
    seconds_left: float | None,
    caller: Caller,
    identity: Identity,
    traceparent: str = "",
) -> JobSpec:
    """Read a generate request; what it leaves out stays None.

    Raises:
        InvalidRequest: Its priority or a pin is none, or an adapter says a weight twice.
    """

    def said(name: str) -> bool:
        return message.HasField(name)

    return JobSpec(
        wanted=WantedDrawing(
            prompt=message.prompt,
            negative_prompt=message.negative_prompt,
            steps=message.num_inference_steps if said("num_inference_steps") else None,
            guidance_scale=message.guidance_scale if said("guidance_scale") else None,
            width=message.width if said("width") else None,
            height=message.height if said("height") else None,
            sampler=message.sampler,
            timestep_spacing=message.timestep_spacing,
            schedule=message.schedule,
            timesteps=tuple(message.timesteps),
            sigmas=tuple(message.sigmas),
            eta=message.eta if said("eta") else None,
            auto_trigger=message.auto_trigger,
            prompt_syntax=_named(_SYNTAX, message.prompt_syntax),
            prompt_windows_max=message.prompt_windows_max if said("prompt_windows_max") else None,
            token_match=_named(_MATCH, message.token_match),
            clip_skip=message.clip_skip if said("clip_skip") else None,
            skipped=_read_skipped(message),
            regions=tuple(map(_read_region, message.regions)),
            image=message.image if said("image") else None,
            mask_image=message.mask_image if said("mask_image") else None,
            strength=message.strength if said("strength") else None,
            original_size=_read_size(message.original_size) if said("original_size") else None,
            crop_top_left=_read_corner(message.crop_top_left) if said("crop_top_left") else None,
            target_size=_read_size(message.target_size) if said("target_size") else None,
        ),
        adapters=tuple(
            _read_adapter(one, field=f"adapters[{index}]")
            for index, one in enumerate(message.adapters)
        ),
        seed=message.seed if said("seed") else None,
        images=message.num_images if said("num_images") else None,
        is_deterministic=message.deterministic,
        preview_every=message.preview_every,
        seconds_left=seconds_left,
        caller=caller,
        identity=identity,
        traceparent=traceparent,
        priority=_read_priority(message.priority),
        request_id=message.request_id,
        declines_canary=message.decline_canary,
        canary_key=message.canary_key,
        written=_read_written(message),
        base=message.base,
        again=_read_pins(message.again) if said("again") else None,
    )


def _read_skipped(message: generation_service_pb2.GenerateRequest) -> SkippedLayers | None:
    """Return what is said of skip-layer guidance; None: nothing is."""
    said = {
        name: getattr(message, f"skip_layer_guidance_{name}")
        for name in ("scale", "start", "stop")
        if message.HasField(f"skip_layer_guidance_{name}")
    }
    if not said and not message.skip_guidance_layers:
        return None
    return SkippedLayers(layers=tuple(message.skip_guidance_layers), **said)


def _read_pins(message: generation_service_pb2.Again) -> Again:
    return Again(
        pins={one.ref: (_read_digest(one.digest), None) for one in message.pins},
        seed=message.seed,
        registry_seq=message.registry_seq,
    )


def _read_digest(text: str) -> str:
    try:
        return str(Digest.parse(text))
    except InvalidName as error:
        raise invalid(
            "again.pins",
            f"{text[:64]!r} is no digest of a release",
            reason=error.reason,
            hint="send the digests as Accepted has them, or leave `again` out",
        ) from error


def _read_written(message: generation_service_pb2.GenerateRequest) -> Written:
    numbers = {number: name for name, number in FORMATS.items()}
    kind = numbers.get(message.image_format or generation_service_pb2.IMAGE_FORMAT_PNG)
    if kind is None:
        raise invalid(
            "image_format",
            f"image format {message.image_format} is not known here",
            reason="IMAGE_FORMAT_UNKNOWN",
            hint="use png, jpeg or webp",
        )
    if not message.HasField("image_quality"):
        return Written(format=kind)
    if message.image_quality > _QUALITY_MAX:
        raise invalid(
            "image_quality",
            f"image_quality is {message.image_quality}",
            reason="IMAGE_QUALITY_OUT_OF_RANGE",
            hint="use 0 to 100",
        )
    return Written(format=kind, quality=message.image_quality)


def _read_priority(number: generation_service_pb2.Priority) -> Priority:
    found = _PRIORITIES.get(number)
    if found is None:
        raise invalid(
            "priority",
            f"priority {number} is not known here",
            reason="PRIORITY_UNKNOWN",
            hint="use low, normal or high",
        )
    return found


def _named(enum: EnumDescriptor, number: int) -> str:
    """Return the name of a member; of one that is newer than this server, its number."""
    name = name_of(enum, number)
    return str(number) if name is None else name


def _read_adapter(message: adapter_pb2.WeightedRef, *, field: str) -> WantedAdapter:
    weight, controls = message.weight if message.HasField("weight") else None, NOTHING_SAID
    if message.HasField("controls"):
        controls = _read_controls(message.controls, field=field)
    return WantedAdapter(ref=message.ref, weight=weight, controls=controls)


def _read_controls(message: adapter_pb2.AdapterControls, *, field: str) -> SaidControls:
    def said(name: str) -> float | None:
        return getattr(message, name) if message.HasField(name) else None

    points = tuple(Point(weight=one.weight, at=one.at) for one in message.points)
    unet = said("unet")
    if unet is not None:
        if points:
            raise invalid(
                field,
                "an adapter has points, and a weight of the UNet beside them",
                reason="CONTROL_CONTRADICTED",
                hint="say one of the two",
            )
        points = (Point(weight=unet, at=0.0),)
    return SaidControls(
        text_encoder=said("text_encoder"),
        unet=points,
        start=said("start"),
        end=said("end"),
        region=message.region and read_region(message.region, place_of=field),
        blocks=tuple((one.block, one.weight) for one in message.blocks),
        block_weights=tuple(message.block_weights),
    )


def _read_region(message: generation_service_pb2.Region) -> WantedRegion:
    return WantedRegion(
        name=message.name,
        boxes=message.boxes,
        mask=message.mask if message.HasField("mask") else None,
        prompt=message.prompt if message.HasField("prompt") else None,
    )


def _read_size(message: generation_service_pb2.ImageSize) -> Size:
    return message.width, message.height


def _read_corner(message: generation_service_pb2.ImageCorner) -> tuple[int, int]:
    return message.top, message.left


def read_again(message: bytes, identity: Identity, caller: Caller) -> JobSpec:
    """Read a request that was kept, for whoever has its job run again."""
    return read_request(
        generation_service_pb2.GenerateRequest.FromString(message),
        seconds_left=None,
        caller=caller,
        identity=identity,
    )


def write_accepted(event: Accepted) -> bytes:
    """Write what a job is told when it is accepted, to be kept."""
    return _accepted(event).SerializeToString()


def read_accepted(message: bytes) -> generation_service_pb2.GenerateResponse:
    """Read what was kept of that, as the event that it was."""
    accepted = generation_service_pb2.Accepted.FromString(message)
    return generation_service_pb2.GenerateResponse(accepted=accepted)


def write_event(event: Event) -> generation_service_pb2.GenerateResponse:
    """Write one event of a job."""
    pb = generation_service_pb2
    match event:
        case Accepted():
            return pb.GenerateResponse(accepted=_accepted(event))
        case Progress(index=index, step=step, steps=steps):
            return pb.GenerateResponse(progress=pb.Progress(index=index, step=step, steps=steps))
        case Preview(index=index, step=step, content=content):
            preview = pb.Preview(index=index, step=step, content=content)
            return pb.GenerateResponse(preview=preview)
        case ImageReady():
            return pb.GenerateResponse(image=write_image(event))
        case Done(queue_seconds=queued, total_seconds=total):
            done = pb.Done(
                queue_duration=write_duration(queued), total_duration=write_duration(total)
            )
            return pb.GenerateResponse(done=done)
    raise AssertionError(f"{event} ends the stream as a status")


def write_image(image: ImageReady) -> generation_service_pb2.Image:
    """Write a finished image."""
    return generation_service_pb2.Image(
        index=image.index,
        content=image.content,
        seed=image.seed,
        provenance_json=image.provenance_json,
        format=FORMATS[image.format],
    )


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
                recipe=_recipe(worn.recipe) if worn.recipe else None,
                is_canary=worn.is_canary,
                controls=write_controls(worn.controls) if worn.controls else "",
            )
            for worn in job.worn
        ],
        seeds=job.seeds,
        registry_seq=job.registry_seq,
        queue_depth=event.rows_ahead,
        trace_id=job.trace_id,
        warnings=[
            generation_service_pb2.SamplingWarning(
                release=one.release, field=one.field, message=one.message
            )
            for one in job.warnings
        ],
        base_fingerprint=job.base_fingerprint,
    )


def _recipe(recipe: WornRecipe) -> generation_service_pb2.WornRecipe:
    release = recipe.release
    return generation_service_pb2.WornRecipe(
        adapter=str(release.adapter),
        version=str(release.version),
        digest=str(release.digest),
        weight=recipe.weight,
        controls=write_controls(recipe.controls) if recipe.controls else "",
    )
