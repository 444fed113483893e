# SPDX-License-Identifier: Apache-2.0
"""Regions of a picture on the command line: names with boxes, masks and prompts behind them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from tabard.cli.session import together
from tabard.pictures.region import Region

with_regions = together(
    click.option(
        "--region",
        "regions",
        multiple=True,
        metavar="NAME=BOXES|FILE",
        help="Repeatable. A part of the picture: boxes LEFT,TOP,RIGHT,BOTTOM in shares of it, with "
        "/ between several, or a mask of its size. Adapters are worn there with region=NAME.",
    ),
    click.option(
        "--region-prompt",
        "region_prompts",
        multiple=True,
        metavar="NAME=TEXT",
        help="Repeatable. What to draw in that region instead of PROMPT.",
    ),
)
_NAMED = re.compile(r"([A-Za-z_][\w-]*)=(.*)", re.ASCII | re.DOTALL)
_BOXES = re.compile(r"[\d.,/+\-eE\s]*,[\d.,/+\-eE\s]*", re.ASCII)


def put_regions(options: dict[str, Any]) -> None:
    """Replace what was said of regions by the regions.

    Raises:
        click.UsageError: It has no name, or means no region.
    """
    prompts = _by_name(options.pop("region_prompts"), option="--region-prompt", like="left=a cat")
    said = _by_name(options.pop("regions"), option="--region", like="left=0,0,0.5,1")
    if unknown := [name for name in prompts if name not in said]:
        raise click.UsageError(f"--region-prompt {unknown[0]}: there is no --region {unknown[0]}")
    if said:
        options["regions"] = [
            _region(name, where, prompt=prompts.get(name)) for name, where in said.items()
        ]


def split_masks(masks: Sequence[str]) -> dict[str, Any]:
    """Return masks as `replay` takes them: of regions where a name stands before the file."""
    found: dict[str, Any] = {}
    named = {}
    for text in masks:
        match = None if Path(text).is_file() else _NAMED.fullmatch(text)
        if match is not None:
            named[match[1]] = Path(match[2])
        elif "mask_image" in found:
            raise click.UsageError("--mask is said twice without a region: write NAME=FILE")
        else:
            found["mask_image"] = Path(text)
    return found | ({"region_masks": named} if named else {})


def _by_name(texts: Sequence[str], *, option: str, like: str) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        match = _NAMED.fullmatch(text)
        if match is None:
            raise click.UsageError(f"{option} {text!r} has no name: write it like {like}")
        if match[1] in found:
            raise click.UsageError(f"{option} {match[1]} is said twice; / stands between boxes")
        found[match[1]] = match[2]
    return found


def _region(name: str, where: str, *, prompt: str | None) -> Region:
    if _BOXES.fullmatch(where):
        return Region(name=name, boxes=where, prompt=prompt)
    return Region(name=name, mask=Path(where), prompt=prompt)
