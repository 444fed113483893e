# SPDX-License-Identifier: Apache-2.0
"""The generate request, and what a caller was given of its job, whichever server draws it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Unpack

from google.protobuf.message import Message

from tabard.calls.call import Call, Caller, each
from tabard.calls.options import GenerateOptions, write_request
from tabard.convert import field_value, same_fields
from tabard.patience import Metadata
from tabard.releases.wear import Wear
from tabard.result import (
    Accepted,
    Done,
    GeneratedImage,
    GenerateEvent,
    Preview,
    Progress,
    SamplingWarning,
    WornRecipe,
    WornRelease,
)
from tabard.routing import BASE_METADATA, STACK_METADATA, stack_hash
from tabard.v1 import generation_service_pb2 as pb

GENERATE_TIMEOUT_SECONDS = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Collecting:
    """A generate call to be collected into one result."""

    call: Call[GenerateEvent]
    on_progress: Callable[[Progress], None] | None


class Given:
    """What of a job was given to its caller already, over all tries of the call.

    Attributes:
        began_anew: Whether a server has lost a job, and another run of it is drawn.
    """

    def __init__(self) -> None:
        self.began_anew = False
        self._accepted: Accepted | None = None
        self._images: set[int] = set()
        self._steps: dict[tuple[type, int], int] = {}

    def is_new(self, event: GenerateEvent) -> bool:
        """Say whether an event was not given before; from now on it was."""
        match event:
            case Accepted(job_id=job_id):
                before, self._accepted = self._accepted, event
                if before is None:
                    return True
                if job_id == before.job_id:
                    return False
                self.began_anew = True
                if not event.draws_as(before):
                    self._images.clear()
                    self._steps.clear()
            case GeneratedImage(index=index):
                if index in self._images:
                    return False
                self._images.add(index)
            case Progress(index=index, step=step) | Preview(index=index, step=step):
                key = type(event), index
                if index in self._images or step <= self._steps.get(key, 0):
                    return False
                self._steps[key] = step
        return True

    @property
    def base(self) -> str:
        """Fingerprint of the base that the job is drawn on; empty: nobody said yet."""
        return self._accepted.base_fingerprint if self._accepted else ""

    def asked_again(self, request: Message) -> Message:
        """Give the request as any server shall have it now: with what its job was pinned to."""
        told = self._accepted
        if told is None or not told.seeds:
            return request
        assert isinstance(request, pb.GenerateRequest)
        again = pb.GenerateRequest()
        again.CopyFrom(request)
        pins = {one.ref: one.recipe.digest if one.recipe else one.digest for one in told.worn}
        again.again.CopyFrom(
            pb.Again(
                seed=told.seeds[0],
                pins=[pb.Pin(ref=ref, digest=digest) for ref, digest in pins.items()],
                registry_seq=told.registry_seq,
            )
        )
        again.base = told.base_fingerprint
        return again


def generate(
    caller: Caller,
    prompt: str,
    *,
    on_progress: Callable[[Progress], None] | None = None,
    timeout_seconds: float = GENERATE_TIMEOUT_SECONDS,
    **options: Unpack[GenerateOptions],
) -> Collecting:
    """Draw images and wait for all of them.

    Parameter names follow diffusers; what is left out takes the server's default.

    Args:
        caller: Filled in by the client.
        prompt: What to draw.
        on_progress: Told as steps are done; the last step of every image always.
        timeout_seconds: Deadline of the whole job.
        **options: Everything else, each described at `tabard.GenerateOptions`: `adapters`,
            `seed`, `num_inference_steps`, `guidance_scale`, `negative_prompt`, `width`, `height`,
            `num_images`, `sampler`, `timestep_spacing`, `schedule`, `timesteps`, `sigmas`, `eta`,
            `deterministic`, `clip_skip`, `prompt_syntax`, `prompt_windows_max`, `token_match`,
            `auto_trigger`, `priority`, `image_format`, `image_quality`, `request_id`,
            `decline_canary`, `canary_key`, `image`, `strength`, `mask_image`, `regions`, for
            SDXL `original_size`, `crops_coords_top_left` and `target_size`, and for SD3.5
            `skip_guidance_layers`, `skip_layer_guidance_scale`, `skip_layer_guidance_start` and
            `skip_layer_guidance_stop`.

    Raises:
        InvalidArgument: Something asked for cannot be; see `.violations`.
        NotFound: An adapter, release or channel does not exist.
        AlreadyExists: The `request_id` stands for another request, or for images that are gone.
        ResourceExhausted: The server is full; see `.retry_after_seconds`.
        DeadlineExceeded: The deadline passed; the job was stopped.
    """
    call = stream(caller, prompt, timeout_seconds=timeout_seconds, **options)
    assert isinstance(call.request, pb.GenerateRequest)
    # What nobody looks at is not sent.
    call.request.without_progress = on_progress is None
    return Collecting(call=call, on_progress=on_progress)


def stream(
    caller: Caller,
    prompt: str,
    *,
    preview_every: int = 0,
    timeout_seconds: float = GENERATE_TIMEOUT_SECONDS,
    **options: Unpack[GenerateOptions],
) -> Call[GenerateEvent]:
    """Yield the events of one job as they happen; closing the iterator cancels the job.

    After a broken connection it goes on where it was. If the server has lost the job, `Accepted`
    comes again with another `job_id`: the same seeds and releases are drawn once more, there or on
    another server, and what was given is not given again.
    Takes what `generate` takes, and `preview_every`: a rough preview every so many steps.
    """
    if options.get("request_id") is None:
        options["request_id"] = caller.new_id()
    refs = [one.ref if isinstance(one, Wear) else str(one) for one in _each_adapter(options)]
    request = write_request(prompt, options=options, preview_every=preview_every)
    request.base = caller.base
    return Call(
        request=request,
        read=read_event,
        knows=knows_event,
        given=Given() if options["request_id"] else None,
        metadata=_hints(refs, prompt=prompt, caller=caller),
        on_base=lambda fingerprint: caller.bases.note(refs, fingerprint, prompt=prompt),
        timeout_seconds=timeout_seconds,
    )


def knows_event(message: pb.GenerateResponse) -> bool:
    """Say whether the message holds an event this SDK knows; newer servers may send others."""
    return message.WhichOneof("event") is not None


def read_event(message: pb.GenerateResponse) -> GenerateEvent:
    """Give the typed event of one stream message that `knows_event`."""
    match message.WhichOneof("event"):
        case "accepted":
            return read_accepted(message.accepted)
        case "progress":
            return same_fields(Progress, message.progress)
        case "preview":
            return same_fields(Preview, message.preview)
        case "image":
            return read_image(message.image)
        case _:
            queued, total = (
                field_value(message.done, f"{name}_duration") for name in ("queue", "total")
            )
            return Done(queue_ms=queued * 1000, total_ms=total * 1000)


def read_accepted(message: pb.Accepted) -> Accepted:
    """Give the value of what a job was told when it was accepted."""
    return same_fields(
        Accepted,
        message,
        worn=tuple(map(_read_worn, message.worn)),
        warnings=tuple(same_fields(SamplingWarning, one) for one in message.warnings),
    )


def read_image(message: pb.Image) -> GeneratedImage:
    """Give the value of a finished image."""
    return same_fields(GeneratedImage, message)


def _each_adapter(options: GenerateOptions) -> Iterable[Any]:
    adapters = options.get("adapters")
    return () if adapters is None else each(adapters)


def _hints(refs: list[str], *, prompt: str, caller: Caller) -> Metadata:
    """Say to something in front of the servers which of them it may be."""
    hints = {
        STACK_METADATA: stack_hash(refs, prompt=prompt),
        # What the caller said himself is the connection's own metadata.
        BASE_METADATA: "" if caller.base else caller.bases.of(refs, prompt=prompt),
    }
    return tuple((key, value) for key, value in hints.items() if value)


def _read_worn(message: pb.WornRelease) -> WornRelease:
    recipe = same_fields(WornRecipe, message.recipe) if message.HasField("recipe") else None
    return same_fields(WornRelease, message, recipe=recipe)
