# SPDX-License-Identifier: Apache-2.0
"""How a release wants to be sampled, as options: a file, and single words over it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from tabard.cli.session import together
from tabard.releases.sampling import NAMES, SPANS

_FILE_BYTES_MAX = 64 << 10
_LISTS = {"samplers": str, "timesteps": int, "sigmas": float}


def read_table(file: Path | None, *, words: Sequence[str] = ()) -> dict[str, Any]:
    """Return what a file and single words say; a word counts before the file.

    Args:
        file: TOML or JSON; None: none.
        words: Each `NAME=VALUE` or `NAME.BOUND=VALUE`.

    Raises:
        UsageError: The file is no table, or a word is none.
    """
    said = {} if file is None else _read(file)
    for word in words:
        path, equals, text = word.partition("=")
        name, _dot, bound = path.partition(".")
        if not equals or name not in NAMES or bool(bound) != (name in SPANS):
            raise click.UsageError(
                f"--sample '{word}' is none: write NAME=VALUE with one of {', '.join(NAMES)}, "
                f"where {', '.join(SPANS)} have .min, .max and .recommended"
            )
        try:
            if bound:
                said[name] = {**said.get(name, {}), bound: float(text)}
            elif name in _LISTS:
                said[name] = [_LISTS[name](one.strip()) for one in text.split(",")]
            else:
                said[name] = int(text) if name == "clip_skip" else text
        except ValueError as error:
            raise click.UsageError(f"--sample '{word}' has no number") from error
    return said


def _read(file: Path) -> dict[str, Any]:
    import tomllib  # noqa: PLC0415 - most releases come without such a file

    try:
        content = file.read_bytes()
        if len(content) > _FILE_BYTES_MAX:
            raise click.UsageError(f"--sampling '{file}' has more than {_FILE_BYTES_MAX} bytes")
        text = content.decode()
        said = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise click.UsageError(f"--sampling '{file}' is neither TOML nor JSON: {error}") from error
    if not isinstance(said, dict):
        raise click.UsageError(f"--sampling '{file}' holds no table")
    # Who writes a whole file may put everything under one heading.
    inner = said.get("sampling")
    return inner if isinstance(inner, dict) and len(said) == 1 else said


with_sampling = together(
    click.option(
        "--sampling",
        "sampling",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="FILE",
        help="How it wants to be sampled: TOML or JSON, see docs/sampling.md.",
    ),
    click.option(
        "--sample",
        "sampling_words",
        multiple=True,
        metavar="NAME=VALUE",
        help="One word of that, like steps.recommended=4 or spacing=trailing; repeatable.",
    ),
)
"""The two options; commands hand both to `read_table`."""
