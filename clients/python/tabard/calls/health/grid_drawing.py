# SPDX-License-Identifier: Apache-2.0
"""A grid as something to draw: its document goes in, what `compare` takes comes out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabard.calls.health.grids import GRID_BYTES_MAX
from tabard.calls.local_files import first_bytes, unreadable
from tabard.errors import FieldViolation, InvalidArgument

_OPTIONS = {
    "steps": "num_inference_steps",
    "guidance_scale": "guidance_scale",
    "width": "width",
    "height": "height",
    "negative_prompt": "negative_prompt",
    "sampler": "sampler",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GridDrawing:
    """What a grid says of the images that are drawn with it.

    Attributes:
        prompts: All of them, in its order.
        controls: Those that name no trigger, and shall look the same with a release as without.
        class_words: What the base draws for `{trigger}`, by prompt, where that is said.
        seeds: Every prompt is drawn with each.
        options: What `generate` takes besides.
    """

    prompts: tuple[str, ...]
    controls: frozenset[str]
    class_words: Mapping[str, str]
    seeds: tuple[int, ...]
    options: Mapping[str, Any]


def is_grid_file(grid: str | Path) -> bool:
    """Say whether that is a file, rather than the name of a grid."""
    return isinstance(grid, Path) or grid.endswith(".json")


def read_grid_file(path: Path) -> GridDrawing:
    """Read the document of a grid from a file.

    Raises:
        InvalidArgument: It cannot be read, or is no grid.
    """
    try:
        content = first_bytes(path, bytes_max=GRID_BYTES_MAX)
    except OSError as error:
        raise unreadable(path, error) from error
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _no_grid(f"'{path}' is no JSON") from error
    return grid_drawing(document)


def grid_drawing(document: Any) -> GridDrawing:
    """Take from the document of a grid what is drawn.

    Raises:
        InvalidArgument: It is no grid.
    """
    try:
        prompts = {str(one["text"]): one for one in document["prompts"]}
        return GridDrawing(
            prompts=tuple(prompts),
            controls=frozenset(text for text, one in prompts.items() if one.get("control")),
            class_words={
                text: str(one["class_word"])
                for text, one in prompts.items()
                if one.get("class_word")
            },
            seeds=tuple(int(seed) for seed in document["seeds"]),
            options={
                option: document[name] for name, option in _OPTIONS.items() if document.get(name)
            },
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _no_grid(f"it has no {error}" if isinstance(error, KeyError) else "") from error


def _no_grid(why: str) -> InvalidArgument:
    message = f"that is no grid: {why}" if why else "that is no grid"
    return InvalidArgument(
        message,
        reason="FIELD_INVALID",
        hint="name one of `tabard grid list`, or give a document as `tabard grid show --json` does",
        violations=(FieldViolation(field="grid", description=message),),
    )
