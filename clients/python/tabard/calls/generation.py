# SPDX-License-Identifier: Apache-2.0
"""The generate request, and the `tabard-stack` metadata that lets a proxy keep a stack together."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Unpack
from urllib.parse import quote

from tabard.calls.call import Call, Caller, each
from tabard.calls.options import GenerateOptions, write_request
from tabard.convert import field_value, same_fields
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
from tabard.v1 import generation_service_pb2 as pb

STACK_METADATA = "tabard-stack"
GENERATE_TIMEOUT_SECONDS = 600.0
_STACK_KEY_CHARS_MAX = 4_096

# A weight follows the first colon, but the colon of `sha256:<hex>` is not one.
_REF = re.compile(r"[^:@]*(?:@(?:sha256:)?[^:]*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Collecting:
    """A generate call to be collected into one result."""

    call: Call[GenerateEvent]
    on_progress: Callable[[Progress], None] | None


class Given:
    """What of a job was given to its caller already, over all tries of the call.

    Attributes:
        began_anew: Whether the server has lost a job, and draws another.
    """

    def __init__(self) -> None:
        self.began_anew = False
        self._job_id = ""
        self._images: set[int] = set()
        self._steps: dict[tuple[type, int], int] = {}

    def is_new(self, event: GenerateEvent) -> bool:
        """Say whether an event was not given before; from now on it was."""
        match event:
            case Accepted(job_id=job_id):
                if job_id == self._job_id:
                    return False
                self.began_anew = bool(self._job_id)
                self._job_id = job_id
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
            `decline_canary`, `canary_key`, `image`, `strength`, `mask_image`, `regions`, and for
            SDXL `original_size`, `crops_coords_top_left` and `target_size`.

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

    After a broken connection it goes on where it was. `Accepted` comes again, with another
    `job_id`, if the server has lost the job and draws anew: then all that follows is of that one.
    Takes what `generate` takes, and `preview_every`: a rough preview every so many steps.
    """
    if options.get("request_id") is None:
        options["request_id"] = caller.new_id()
    adapters = options.get("adapters") or ()
    return Call(
        request=write_request(prompt, options=options, preview_every=preview_every),
        read=read_event,
        knows=knows_event,
        given=Given() if options["request_id"] else None,
        metadata=((STACK_METADATA, stack_key(adapters)),) if adapters else (),
        timeout_seconds=timeout_seconds,
    )


def stack_key(adapters: str | Wear | Sequence[str | Wear]) -> str:
    """Give the sorted refs of a stack without weights, joined by commas, as printable ASCII.

    No stack that can be worn is longer than the key may be; metadata that is too long would fail
    the call before the server can say what is wrong with it.
    """
    texts = (one.ref if isinstance(one, Wear) else one for one in each(adapters))
    refs = {split_weight(ref)[0] for ref in texts}
    return ",".join(sorted(quote(ref, safe="/@:.-_") for ref in refs))[:_STACK_KEY_CHARS_MAX]


def split_weight(ref: str) -> tuple[str, str]:
    """Give a ref without what stands behind it, and that: mostly a weight; empty: nothing."""
    text = ref.strip()
    found = _REF.match(text)
    end = found.end() if found else 0
    return text[:end], text[end + 1 :]


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


def _read_worn(message: pb.WornRelease) -> WornRelease:
    recipe = same_fields(WornRecipe, message.recipe) if message.HasField("recipe") else None
    return same_fields(WornRelease, message, recipe=recipe)
