# SPDX-License-Identifier: Apache-2.0
"""What files say of the base they were made on, compared with the base at hand.

Their own words: anybody can write anything there. They inform and warn, and what was trained for
another prediction or noise schedule is refused by them; nothing is accepted for their sake.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tabard_registry.intake.dialect import Context
from tabard_registry.intake.files.safetensors import TensorFile
from tabard_registry.intake.report.family import FAMILY_KEYS
from tabard_registry.intake.report.training_words import (
    TRAINING_KEYS,
    clip_skip,
    predictions,
    resolution,
    zero_snrs,
)
from tabard_registry.release.sampling import FLOW_PREDICTION
from tabard_registry.report import BaseMatch, Problem

FINGERPRINT_KEY = "tabard.base_fingerprint"
"""Under which Tabard's own files name the base that they were made against."""
NAME_KEYS = ("ss_sd_model_name", "base_model_name_or_path")
"""Under which trainers keep what they called the base."""
HASH_KEYS = ("ss_sd_model_hash", "ss_new_sd_model_hash")
"""Hashes of a checkpoint file; shown, and compared with nothing."""

_VALUE_CHARS_MAX = 200
_FAR = 1.6
"""How many times larger or smaller a picture is another size: 768 of a base of 512 is not."""
_ENDING = re.compile(r"\.(?:safetensors|ckpt|pt|bin)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What files say of their base.

    Attributes:
        words: Their words, by the name of the field.
        match: How these compare with the base at hand.
        problems: What to say about it; mostly warnings.
    """

    words: Mapping[str, str]
    match: BaseMatch = ""
    problems: tuple[Problem, ...] = ()


def read_declaration(files: Sequence[TensorFile], *, context: Context) -> Declaration:
    """Gather what files, or the configuration beside them, say; the family was judged before."""
    words, profile = dict(_words(files, config=context.config)), context.profile
    problems = tuple(_of_training(words, context=context))
    fingerprint = words.get(FINGERPRINT_KEY)
    names = [words[key] for key in NAME_KEYS if key in words]
    if fingerprint is not None:
        is_same = fingerprint == profile.fingerprint
        said, here = fingerprint[:23], profile.fingerprint[:23]
    elif names and profile.names:
        is_same = bool(set(map(_plain, names)) & set(map(_plain, profile.names)))
        said, here = names[0], profile.names[0]
    else:
        says_family = any(key in words for key in FAMILY_KEYS)
        match: BaseMatch = "family" if says_family else ""
        return Declaration(words=words, match=match, problems=problems)
    if is_same:
        return Declaration(words=words, match="same", problems=problems)
    other = _other_base(said, here=here)
    return Declaration(words=words, match="family", problems=(other, *problems))


def _words(
    files: Sequence[TensorFile], *, config: Mapping[str, Any] | None
) -> Iterator[tuple[str, str]]:
    keys = (*FAMILY_KEYS, *NAME_KEYS, *HASH_KEYS, FINGERPRINT_KEY, *TRAINING_KEYS)
    for source in ({} if config is None else config, *(file.metadata for file in files)):
        for key in keys:
            value = source.get(key)
            if isinstance(value, str) and value.strip():
                yield key, value.strip()[:_VALUE_CHARS_MAX]


def _plain(name: str) -> str:
    """Drop folders, endings and case: the same base lies under many paths."""
    last = re.split(r"[\\/]", name.strip().rstrip("\\/"))[-1]
    return _ENDING.sub("", last.casefold())


def _of_training(words: Mapping[str, str], *, context: Context) -> Iterator[Problem]:
    profile = context.profile
    said = predictions(words, family=profile.family)
    others = [one for one in said if one.value != profile.prediction]
    if profile.prediction and others:
        yield Problem(
            reason="OTHER_PREDICTION",
            message=f"by its own words ({others[0].where}) it was trained for {others[0].value}, "
            f"this base predicts {profile.prediction}",
            remedy="Serve it on a base of that prediction. If it is known to work on this one, "
            "start the server with adapters_that_contradict = true.",
            is_warning=context.takes_contradictions,
        )
    # A flow has no noise schedule: the word says nothing there.
    has_other_end = profile.is_zero_snr is False and profile.prediction != FLOW_PREDICTION
    if has_other_end and any(one.value == "yes" for one in zero_snrs(words)):
        yield Problem(
            reason="OTHER_NOISE_SCHEDULE",
            message="by its own words it was trained to zero terminal SNR, this base was not",
            remedy="Serve it on a base of that schedule. If it is known to work on this one, start "
            "the server with adapters_that_contradict = true.",
            is_warning=context.takes_contradictions,
        )
    size, native = resolution(words), profile.native_pixels
    if size is not None and native and not 1 / _FAR <= math.sqrt(math.prod(size)) / native <= _FAR:
        yield Problem(
            reason="OTHER_RESOLUTION",
            message=f"by its own words it was trained at {size[0]}x{size[1]}, this base at "
            f"{native}x{native}",
            remedy="Requests that say no size are drawn at the base's: say width and height in "
            "those that wear it.",
            is_warning=True,
        )
    if (skip := clip_skip(words)) is not None:
        yield Problem(
            reason="CLIP_SKIP",
            message=f"by its own words it was trained with clip skip {skip}",
            remedy=f"Say clip_skip {skip - 1} in requests that wear it: here 0 leaves nothing out.",
            is_warning=True,
        )


def _other_base(said: str, *, here: str) -> Problem:
    return Problem(
        reason="OTHER_BASE",
        message=f"by its own words it was made on {said!r}, this base is {here!r}",
        remedy="It fits this family, so it is taken. Compare an image before you promote it.",
        is_warning=True,
    )
