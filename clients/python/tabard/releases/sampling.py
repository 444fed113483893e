# SPDX-License-Identifier: Apache-2.0
"""How a release wants to be sampled, as a table of plain values: what a message says, in short.

The table is what authors write in a file: `{"samplers": ["lcm"], "steps": {"recommended": 4}}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SPANS = ("steps", "guidance", "weight")
"""What is a table of `min`, `max` and `recommended`."""
LISTS = ("samplers", "timesteps", "sigmas")
_WORDS = ("spacing", "prediction", "prompt", "enforce")
_SINGLE = (*_WORDS, "clip_skip")
NAMES = (*LISTS, *SPANS, *_SINGLE)
"""All that an author may say."""
BOUNDS = ("min", "max", "recommended")


def read_sampling(message: Any) -> dict[str, Any]:
    """Give the table of a message: what was said, and by whom (`sources`); empty for none."""
    said: dict[str, Any] = {
        name: list(getattr(message, name)) for name in (*LISTS, "sources") if getattr(message, name)
    }
    for name in SPANS:
        if message.HasField(name):
            span = getattr(message, name)
            said[name] = {one: getattr(span, one) for one in BOUNDS if span.HasField(one)}
    for name in _WORDS:
        if value := getattr(message, name):
            said[name] = value
    if message.HasField("clip_skip"):
        said["clip_skip"] = message.clip_skip
    return said


def sampling_text(said: Mapping[str, Any]) -> str:
    """Say it in a line for people."""
    parts = [_part(name, value) for name, value in said.items() if name != "sources"]
    by = f" (by {', '.join(said['sources'])})" if said.get("sources") and parts else ""
    return "; ".join(parts) + by


def _part(name: str, value: Any) -> str:
    word = name.replace("_", " ")
    if isinstance(value, Mapping):
        bounds = [f"{one} {value[one]:g}" for one in BOUNDS if one in value]
        return f"{word} {', '.join(bounds)}"
    if isinstance(value, list):
        return f"{word} {', '.join(map(str, value))}"
    return f"{word} {value}"
