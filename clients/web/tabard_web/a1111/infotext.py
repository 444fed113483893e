# SPDX-License-Identifier: Apache-2.0
"""What an image says of itself in A1111's words: read from a file, and told beside new images."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from tabard import GeneratedImage
from tabard.pictures.words import read_words

# A name begins where no name goes on, so that a long text without facts is walked only once.
_FACT = re.compile(r'(?<![\w ])([\w ]{1,64}):\s*("(?:\\.|[^\\"])*"|[^,]*)(?:,|$)')
_NEGATIVE = "Negative prompt: "


def read_parameters(text: str) -> dict[str, Any]:
    """Give the facts of A1111's text by name; prompts are `Prompt` and `Negative prompt`."""
    *lines, last = text.strip().split("\n")
    facts = {name.strip(): _unquoted(value.strip()) for name, value in _FACT.findall(last)}
    if "Steps" not in facts:
        lines, facts = [*lines, last], {}
    split = next((at for at, line in enumerate(lines) if line.startswith(_NEGATIVE)), len(lines))
    prompt, negative = lines[:split], lines[split:]
    return {
        "Prompt": "\n".join(prompt),
        "Negative prompt": "\n".join(negative).removeprefix(_NEGATIVE),
        **facts,
    }


def tell_images(images: Sequence[GeneratedImage]) -> dict[str, Any]:
    """Give what A1111 tells beside images, as the images themselves say it."""
    if not images:
        return {"all_prompts": [], "all_seeds": [], "infotexts": []}
    first = images[0].provenance
    count = len(images)
    prompt, negative = str(first.get("prompt", "")), str(first.get("negative_prompt", ""))
    base = first.get("base", {})
    infotexts = [read_words(image.content).get("parameters", "") for image in images]
    return {
        "prompt": prompt,
        "all_prompts": [prompt] * count,
        "negative_prompt": negative,
        "all_negative_prompts": [negative] * count,
        "seed": images[0].seed,
        "all_seeds": [image.seed for image in images],
        "subseed": -1,
        "all_subseeds": [-1] * count,
        "subseed_strength": 0,
        "width": first.get("width"),
        "height": first.get("height"),
        "sampler_name": read_parameters(infotexts[0]).get("Sampler", first.get("sampler", "")),
        "cfg_scale": first.get("guidance_scale"),
        "steps": first.get("steps"),
        "batch_size": count,
        "restore_faces": False,
        "sd_model_name": base.get("source"),
        "sd_model_hash": str(base.get("fingerprint", "")).removeprefix("sha256:")[:10],
        "denoising_strength": first.get("strength"),
        "clip_skip": first.get("clip_skip", 0) + 1,
        "index_of_first_image": 0,
        "infotexts": infotexts,
        "styles": [],
        "version": f"tabard {first.get('tabard', '')}",
        "worn": first.get("stack", []),
    }


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value
    try:
        return str(json.loads(value))
    except ValueError:
        return value
