# SPDX-License-Identifier: Apache-2.0
"""What a file says of how it wants to be sampled: its own table, its training, a few-step family.

In: the texts of a header. Out: a `Sampling`, which says who says so. A family is known by what its
author wrote into the header, never by what a file is called. Pure; unreadable words say nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from tabard_registry.errors import InvalidField
from tabard_registry.intake.report.training_words import clip_skip, predictions
from tabard_registry.release.sampling import (
    BY_METADATA,
    NO_SAMPLING,
    PREDICTIONS,
    Sampling,
    Span,
)

SAMPLING_KEY = "tabard.sampling"
"""Where a file holds its own declaration, as JSON."""
_WORD_KEYS = (
    *("modelspec.title", "modelspec.description", "modelspec.usage_hint", "modelspec.tags"),
    *("ss_training_comment", "training_method", "distillation_method"),
)
_WORDS_CHARS_MAX = 4_000
_LAYERS_MAX = 12
_STEPS = re.compile(r"\b([1-9]|1[0-2])[ -]?steps?\b")
_KEEPS_GUIDANCE = re.compile(r"\bcfg\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A way to distil models into few steps.

    Attributes:
        name: What it is called.
        words: How its authors write that.
        sampling: What its files want.
    """

    name: str
    words: re.Pattern[str]
    sampling: Sampling


def _few(most: int, best: int) -> Span:
    return Span(min=1, max=most, recommended=best)


_UNGUIDED = Span(min=0, max=2, recommended=1)
FAMILIES: tuple[Family, ...] = (
    Family(
        name="DMD2",
        words=re.compile(r"\bdmd ?2\b|\bdistribution matching distillation\b"),
        sampling=Sampling(
            samplers=("lcm",),
            steps=_few(8, 4),
            guidance=_UNGUIDED,
            timesteps=(999, 749, 499, 249),
        ),
    ),
    Family(
        name="Lightning",
        words=re.compile(r"\b(?:sdxl|sd)[- ]?lightning\b"),
        sampling=Sampling(
            samplers=("euler",), steps=_few(8, 4), guidance=_UNGUIDED, spacing="trailing"
        ),
    ),
    Family(
        name="Hyper-SD",
        words=re.compile(r"\bhyper[- ]?sd(?:xl)?\b"),
        sampling=Sampling(
            samplers=("ddim", "tcd", "euler"),
            steps=_few(12, 8),
            guidance=_UNGUIDED,
            spacing="trailing",
        ),
    ),
    Family(
        name="TCD",
        words=re.compile(r"\btcd\b|\btrajectory consistency\b"),
        sampling=Sampling(samplers=("tcd",), steps=_few(12, 4), guidance=_UNGUIDED),
    ),
    Family(
        name="LCM",
        words=re.compile(r"\blcm\b|\blatent consistency\b"),
        sampling=Sampling(samplers=("lcm",), steps=_few(8, 4), guidance=_UNGUIDED),
    ),
    Family(
        name="Turbo",
        words=re.compile(r"\b(?:sdxl|sd)[- ]?turbo\b|\badversarial diffusion distillation\b"),
        sampling=Sampling(
            samplers=("euler_a", "euler"),
            steps=_few(8, 4),
            guidance=_UNGUIDED,
            spacing="trailing",
        ),
    ),
)
"""Few-step families, as their authors publish them; the first that a header names counts."""


def sampling_said(words: Mapping[str, str], *, family: str) -> Sampling:
    """Return what a header says of sampling: its own table, then its training, then its family.

    Args:
        words: Its texts.
        family: Family of the base that the file is checked against.
    """
    return _declared(words).over(_trained(words, family=family).over(_of_family(words)))


def _declared(words: Mapping[str, str]) -> Sampling:
    """Read a declaration; one that cannot be is not the author's word."""
    text = words.get(SAMPLING_KEY, "")
    if not 0 < len(text) <= _WORDS_CHARS_MAX:
        return NO_SAMPLING
    try:
        said = json.loads(text)
        return Sampling.from_json(said).said_by(BY_METADATA)
    except (InvalidField, ValueError, RecursionError):
        return NO_SAMPLING


def _trained(words: Mapping[str, str], *, family: str) -> Sampling:
    """Say what follows from the training; only SD 1.x leaves the choice of a layer to a request."""
    layers = clip_skip(words) if family == "sd1" else None
    said = {one.value for one in predictions(words, family=family)}
    prediction = said.pop() if len(said) == 1 else ""
    found = Sampling(
        clip_skip=None if layers is None or layers > _LAYERS_MAX else layers - 1,
        prediction=prediction if prediction in PREDICTIONS else "",
    )
    return found.said_by(BY_METADATA)


def _of_family(words: Mapping[str, str]) -> Sampling:
    text = " ".join(words.get(key, "")[:_WORDS_CHARS_MAX] for key in _WORD_KEYS).lower()
    for family in FAMILIES:
        if family.words.search(text):
            return _in_steps(family.sampling, text).said_by(family.name)
    return NO_SAMPLING


def _in_steps(sampling: Sampling, text: str) -> Sampling:
    """Take the number of steps that a header names, and leave guidance to what was kept of it."""
    named = {int(one) for one in _STEPS.findall(text)}
    steps = sampling.steps
    if len(named) == 1 and steps.holds(best := named.pop()):
        timesteps = sampling.timesteps if len(sampling.timesteps) == best else ()
        sampling = replace(
            sampling, steps=replace(steps, recommended=float(best)), timesteps=timesteps
        )
    if _KEEPS_GUIDANCE.search(text):
        sampling = replace(sampling, guidance=Span())
    return sampling
