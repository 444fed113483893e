# SPDX-License-Identifier: Apache-2.0
"""Which family of bases a file was made for, by what it shows: widths first, names, then words.

In: opened files. Out: the family and how it is known, or None. A file that says nothing of its
family is judged by its layers alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from tabard_registry.intake.dialect import Context
from tabard_registry.intake.files.safetensors import TensorFile
from tabard_registry.intake.profile import FAMILY_OF_WIDTH
from tabard_registry.report import Problem

_DOWN = r"(?:lora_down|lora_A(?:\.default)?|lora[._]down|lora_linear_layer\.down)\.weight"
_TEXT_READER = re.compile(
    rf".*attn2[._](?:processor[._])?to_[kv].*(?:{_DOWN}|hada_w1_b|b2\.weight|diff)$"
)
_TEXT_LAYER = re.compile(
    rf"lora_te_.*(?:q_proj|k_proj|v_proj|fc1)\.(?:{_DOWN}|hada_w1_b|b2\.weight|diff)$"
)
_JOINT_LAYER = re.compile(
    rf"(?:transformer\.|lora_transformer_)?transformer_blocks[._]\d+[._]attn[._]to_q.*{_DOWN}$"
)
_FAMILY_OF_JOINT_WIDTH = {1536: "sd3", 2432: "sd3", 3072: "flux"}
"""Width of the two streams of a transformer: SD3.5 medium and large, Flux."""
_NAMES_OF_SDXL = re.compile(r"lora_te2_|text_encoder_2\.|text_encoders\.clip_g\.|clip_[lg]$")
_WORDS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("sdxl", re.compile(r"sdxl|stable-diffusion-xl")),
    ("sd1", re.compile(r"sd_v?1|stable-diffusion-v1")),
    ("sd2", re.compile(r"sd_v?2|stable-diffusion-v2")),
    ("sd3", re.compile(r"sd_?3|stable-diffusion-3")),
    ("flux", re.compile(r"flux")),
)
_BASE_NAMES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("sdxl", re.compile(r"(?:^|/)(?:stable-diffusion-xl|sdxl)-")),
    ("sd1", re.compile(r"(?:^|/)stable-diffusion-v1-")),
    ("sd2", re.compile(r"(?:^|/)stable-diffusion-2(?:-|$)")),
    ("sd3", re.compile(r"(?:^|/)stable-diffusion-3(?:[.-]|$)")),
    ("flux", re.compile(r"(?:^|/)flux\.")),
)
_VARIANT = re.compile(r"inpaint|refiner|depth|unclip|upscale")
"""What else an architecture may be, beside its family: none of them is a base that is served."""
FAMILY_KEYS = ("tabard.base_family", "ss_base_model_version", "modelspec.architecture")
"""Under which a family is named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clue:
    """A family, and how it is known."""

    family: str
    why: str


def find_clue(
    files: Sequence[TensorFile], *, config: Mapping[str, Any] | None = None
) -> Clue | None:
    """Return the best clue to the family that files were made for."""
    clues = (found for source in _SOURCES for file in files for found in source(file))
    return next(chain(clues, _by_base_name(config or {})), None)


def wrong_family(
    files: Sequence[TensorFile], *, family: str, config: Mapping[str, Any] | None = None
) -> Problem | None:
    """Return a problem if files show that they are for another family than this one.

    Args:
        files: The files.
        family: The family of the base at hand.
        config: The `adapter_config.json` beside them, or None.
    """
    clue = find_clue(files, config=config)
    # The second text encoder of later families is called like SDXL's.
    has_both = family in _FAMILY_OF_JOINT_WIDTH.values() and any(map(_names_sdxl, files))
    if clue is None or clue.family == family or (has_both and clue.family == "sdxl"):
        return None
    return Problem(
        reason="WRONG_FAMILY",
        message=f"made for {clue.family} ({clue.why}), this base is {family}",
        remedy=f"Serve it on a base of the {clue.family} family, or train it on this one.",
    )


def other_architecture(files: Sequence[TensorFile], *, context: Context) -> Problem | None:
    """Return a problem if words name another architecture than the base's, whatever layers show."""
    said = [
        (f"{key} {file.metadata[key][:60]}", family)
        for file in files
        for key, family in families_said(file.metadata)
    ]
    said += [(clue.why, clue.family) for clue in _by_base_name(context.config or {})]
    others = [where for where, family in said if family != context.profile.family]
    if not others:
        return None
    return Problem(
        reason="OTHER_ARCHITECTURE",
        message=f"by its own words ({others[0]}) it was made for another architecture than this "
        f"base, which is {context.profile.family}, and its layers fit",
        remedy="Its header may be wrong. If it is known to work on this base, start the server "
        "with adapters_that_contradict = true.",
        is_warning=context.takes_contradictions,
    )


def families_said(words: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the fields of a header that name a family, with it: `sd1`, or `sd1 inpaint`."""
    for key in FAMILY_KEYS:
        word = words.get(key, "").lower()
        variant = _VARIANT.search(word)
        for family, pattern in _WORDS:
            if pattern.match(word):
                yield key, f"{family} {variant[0]}" if variant else family


def _by_width(file: TensorFile) -> Iterator[Clue]:
    for key, entry in file.tensors.items():
        reads_text = _TEXT_READER.match(key) or _TEXT_LAYER.match(key)
        if reads_text and len(entry.shape) > 1 and entry.shape[1] in FAMILY_OF_WIDTH:
            width = entry.shape[1]
            yield Clue(family=FAMILY_OF_WIDTH[width], why=f"its text is {width} wide")
        elif _JOINT_LAYER.match(key) and len(entry.shape) > 1:
            width = entry.shape[1]
            if width in _FAMILY_OF_JOINT_WIDTH:
                family = _FAMILY_OF_JOINT_WIDTH[width]
                yield Clue(family=family, why=f"its layers are {width} wide")


def _names_sdxl(file: TensorFile) -> bool:
    return next(_by_name(file), None) is not None


def _by_name(file: TensorFile) -> Iterator[Clue]:
    for key in file.tensors:
        if found := _NAMES_OF_SDXL.match(key):
            yield Clue(family="sdxl", why=f"its keys begin like {found[0]}")


def _by_word(file: TensorFile) -> Iterator[Clue]:
    for key, family in families_said(file.metadata):
        word = file.metadata[key].lower()
        yield Clue(family=family.partition(" ")[0], why=f"its metadata says {key} {word[:60]}")


def _by_base_name(config: Mapping[str, Any]) -> Iterator[Clue]:
    """PEFT keeps the hub id of its base; only names that everybody knows are understood."""
    name = config.get("base_model_name_or_path")
    for family, pattern in _BASE_NAMES if isinstance(name, str) else ():
        if pattern.search(str(name).lower()):
            yield Clue(family=family, why=f"its configuration says {str(name)[:60]}")


_SOURCES = (_by_width, _by_name, _by_word)
