# SPDX-License-Identifier: Apache-2.0
"""What a trainer wrote into a file of how it trained: prediction, zero SNR, family and sizes.

In: the texts of a header. Out: what they say, with the field that says it. Pure; nothing is judged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tabard_registry.intake.report.family import FAMILY_KEYS, families_said
from tabard_registry.release.sampling import EPSILON, FLOW_PREDICTION, V_PREDICTION

_PREDICTION_KEYS = ("modelspec.prediction_type", "modelspec.predict_key", "prediction_type")
_PREDICTIONS = {
    "epsilon": EPSILON,
    "eps": EPSILON,
    "v": V_PREDICTION,
    "v_prediction": V_PREDICTION,
    "v-prediction": V_PREDICTION,
    "velocity": V_PREDICTION,
    "flow": FLOW_PREDICTION,
    "flow_prediction": FLOW_PREDICTION,
}
_FLOW_FAMILIES = frozenset({"sd3", "flux"})
_V_FLAGS = ("ss_v_parameterization", "v_pred")
_ZERO_SNR_FLAGS = ("ss_zero_terminal_snr", "rescale_betas_zero_snr", "ztsnr")
_V_IN_FAMILY = re.compile(r"sd_v2_v$|stable-diffusion-v2-\d+-v(?:/|$)")
_SIZE = re.compile(r"\(?\s*(\d{2,5})(?:\s*[x,]\s*(\d{2,5}))?\s*\)?")
_SIZE_KEYS = ("modelspec.resolution", "ss_resolution")
_CLIP_SKIP_KEYS = ("ss_clip_skip", "modelspec.encoder_layer")
TRAINING_KEYS = (
    *(*_PREDICTION_KEYS, *_V_FLAGS, *_ZERO_SNR_FLAGS),
    *(*_SIZE_KEYS, *_CLIP_SKIP_KEYS),
)
"""Fields of an adapter that are compared with the base and shown."""
_NO = ("false", "0", "no")
_CHARS_MAX = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One thing that a file says of itself.

    Attributes:
        value: What it says.
        where: The field, and its text.
    """

    value: str
    where: str


def predictions(words: Mapping[str, str], *, family: str = "") -> tuple[Said, ...]:
    """Return everything said of what the network predicts; an unknown word is given as it stands.

    Args:
        words: The texts.
        family: Family of the base; empty: not known. In one that walks along a flow `epsilon` says
            nothing: kohya's trainers write it into all that is not of a velocity, SD3.5's too.
    """
    is_flow = family in _FLOW_FAMILIES
    return tuple(one for one in _predictions(words) if not (is_flow and one.value == EPSILON))


def zero_snrs(words: Mapping[str, str]) -> tuple[Said, ...]:
    """Return everything said of a noise schedule that ends in pure noise: `yes` or `no`."""
    return tuple(
        Said(value="no" if text.lower() in _NO else "yes", where=_where(key, text))
        for key in _ZERO_SNR_FLAGS
        if (text := _text(words, key))
    )


def families(words: Mapping[str, str]) -> tuple[Said, ...]:
    """Return everything said of the family of the base."""
    return tuple(
        Said(value=family, where=_where(key, _text(words, key)))
        for key, family in families_said(words)
    )


def resolution(words: Mapping[str, str]) -> tuple[int, int] | None:
    """Return the pixels that a file says it was trained at."""
    for key in _SIZE_KEYS:
        if found := _SIZE.fullmatch(_text(words, key).lower()):
            return int(found[1]), int(found[2] or found[1])
    return None


def clip_skip(words: Mapping[str, str]) -> int | None:
    """Return the clip skip of a training, as trainers count it: 1 leaves nothing out."""
    for key in _CLIP_SKIP_KEYS:
        text = _text(words, key)
        if text.isdigit() and int(text) > 1:
            return int(text)
    return None


def _predictions(words: Mapping[str, str]) -> Iterator[Said]:
    for key in _PREDICTION_KEYS:
        if text := _text(words, key).lower():
            yield Said(value=_PREDICTIONS.get(text, text[:_CHARS_MAX]), where=_where(key, text))
    for key in _V_FLAGS:
        if text := _text(words, key).lower():
            value = EPSILON if text in _NO else V_PREDICTION
            yield Said(value=value, where=_where(key, text))
    for key in FAMILY_KEYS:
        text = _text(words, key).lower()
        if _V_IN_FAMILY.match(text):
            yield Said(value=V_PREDICTION, where=_where(key, text))


def _text(words: Mapping[str, str], key: str) -> str:
    text = str(words.get(key, "")).strip()
    return "" if text.lower() in ("none", "null") else text


def _where(key: str, text: str) -> str:
    return f"{key} {text[:_CHARS_MAX]}"
