# SPDX-License-Identifier: Apache-2.0
"""Between messages of how a release wants to be sampled and the registry's value of it."""

from dataclasses import fields
from typing import Any

from tabard.v1 import adapter_pb2
from tabard_registry.release.sampling import Sampling, Span
from tabard_server.engine_port.errors import UnknownSampler
from tabard_server.engine_port.samplers import resolve_sampler
from tabard_server.errors import invalid


def read_sampling(message: adapter_pb2.Sampling) -> Sampling:
    """Read what an author says; samplers become their short names.

    Raises:
        InvalidField: It contradicts itself, or says what cannot be.
        InvalidRequest: No sampler goes by one of the names.
    """
    return Sampling(
        samplers=tuple(map(_sampler, message.samplers)),
        steps=_read_span(message.steps),
        guidance=_read_span(message.guidance),
        spacing=message.spacing,
        timesteps=tuple(message.timesteps),
        sigmas=tuple(message.sigmas),
        clip_skip=message.clip_skip if message.HasField("clip_skip") else None,
        prediction=message.prediction,
        weight=_read_span(message.weight),
        prompt=message.prompt,
        enforce=message.enforce,
    )


def write_sampling(sampling: Sampling) -> adapter_pb2.Sampling | None:
    """Write it; None where it says nothing."""
    if not sampling:
        return None
    said: dict[str, Any] = {one.name: getattr(sampling, one.name) for one in fields(Sampling)}
    spans = {name: _write_span(said[name]) for name in ("steps", "guidance", "weight")}
    return adapter_pb2.Sampling(**said | spans)


def _sampler(name: str) -> str:
    try:
        return resolve_sampler(name)
    except UnknownSampler as error:
        raise invalid(
            "draft.sampling.samplers", str(error), reason=error.reason, hint=error.hint
        ) from error


def _read_span(message: adapter_pb2.SamplingSpan) -> Span:
    names = [one.name for one in fields(Span) if message.HasField(one.name)]
    return Span(**{name: getattr(message, name) for name in names})


def _write_span(span: Span) -> adapter_pb2.SamplingSpan | None:
    if not span:
        return None
    return adapter_pb2.SamplingSpan(min=span.min, max=span.max, recommended=span.recommended)
