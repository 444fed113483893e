# SPDX-License-Identifier: Apache-2.0
"""The generate request, and the `livery-stack` metadata that lets a proxy keep a stack together."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from livery.calls.call import Call, Caller
from livery.convert import knows_event, read_event
from livery.result import GenerateEvent, Progress
from livery.v1 import generation_service_pb2 as pb

STACK_METADATA = "livery-stack"
GENERATE_TIMEOUT_SECONDS = 600.0

# A weight follows the last colon, but the colon of `sha256:<hex>` is not one.
_WEIGHT = re.compile(r"(?<!@sha256):[^:@/]*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A generate call to be collected into one result."""

    call: Call[GenerateEvent]
    on_progress: Callable[[Progress], None] | None


def generate(
    caller: Caller,
    prompt: str,
    *,
    adapters: Sequence[str] = (),
    seed: int | None = None,
    num_inference_steps: int | None = None,
    guidance_scale: float | None = None,
    negative_prompt: str = "",
    width: int | None = None,
    height: int | None = None,
    num_images: int | None = None,
    sampler: str = "",
    deterministic: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
    timeout_seconds: float = GENERATE_TIMEOUT_SECONDS,
) -> Job:
    """Draw images and wait for all of them.

    Parameter names follow diffusers; what is left out takes the server's default.

    Args:
        caller: Filled in by the client.
        prompt: What to draw.
        adapters: Refs, each `ns/name[@channel|@version|@sha256:…][:weight]`.
        seed: Image i uses `seed + i`; drawn by the server when left out.
        num_inference_steps: Denoise steps.
        guidance_scale: Classifier-free guidance; 1 or less turns it off.
        negative_prompt: What to keep away from.
        width: Pixels.
        height: Pixels.
        num_images: How many images.
        sampler: Short name (`euler_a`) or A1111 spelling (`Euler a`).
        deterministic: Byte-identical files for the same request, alone or in a crowd.
        on_progress: Told as steps are done; the last step of every image always.
        timeout_seconds: Deadline of the whole job.

    Raises:
        InvalidArgument: Something asked for cannot be; see `.violations`.
        NotFound: An adapter, release or channel does not exist.
        ResourceExhausted: The server is full; see `.retry_after_seconds`.
        DeadlineExceeded: The deadline passed; the job was stopped.
    """
    call = stream(
        caller,
        prompt,
        adapters=adapters,
        seed=seed,
        num_inference_steps=num_inference_steps,
        guidance_scale=guidance_scale,
        negative_prompt=negative_prompt,
        width=width,
        height=height,
        num_images=num_images,
        sampler=sampler,
        deterministic=deterministic,
        timeout_seconds=timeout_seconds,
    )
    return Job(call=call, on_progress=on_progress)


def stream(
    caller: Caller,
    prompt: str,
    *,
    adapters: Sequence[str] = (),
    seed: int | None = None,
    num_inference_steps: int | None = None,
    guidance_scale: float | None = None,
    negative_prompt: str = "",
    width: int | None = None,
    height: int | None = None,
    num_images: int | None = None,
    sampler: str = "",
    deterministic: bool = False,
    preview_every: int = 0,
    timeout_seconds: float = GENERATE_TIMEOUT_SECONDS,
) -> Call[GenerateEvent]:
    """Yield the events of one job as they happen; closing the iterator cancels the job.

    Takes what `generate` takes, but for `preview_every`: a rough preview every so many steps.
    """
    del caller  # a job is nobody's act in the registry
    request = pb.GenerateRequest(
        prompt=prompt,
        negative_prompt=negative_prompt,
        adapters=adapters,
        seed=seed,
        num_inference_steps=num_inference_steps,
        guidance_scale=guidance_scale,
        width=width,
        height=height,
        num_images=num_images,
        sampler=sampler,
        deterministic=deterministic,
        preview_every=preview_every,
    )
    return Call(
        method="/livery.v1.GenerationService/Generate",
        request=request,
        response=pb.GenerateResponse,
        read=read_event,
        knows=knows_event,
        metadata=((STACK_METADATA, stack_key(adapters)),) if adapters else (),
        timeout_seconds=timeout_seconds,
    )


def stack_key(adapters: Sequence[str]) -> str:
    """Give the sorted refs of a stack without weights, joined by commas, as printable ASCII."""
    refs = {_WEIGHT.sub("", ref.strip()) for ref in adapters}
    return ",".join(sorted(quote(ref, safe="/@:.-_") for ref in refs))
