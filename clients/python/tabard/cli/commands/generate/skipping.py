# SPDX-License-Identifier: Apache-2.0
"""The options of skip-layer guidance, which bases of SD3.5 know."""

from __future__ import annotations

import re

import click

from tabard.cli.numbers import Number
from tabard.cli.session import together


def _read_layers(
    context: click.Context, parameter: click.Parameter, text: str | None
) -> tuple[int, ...]:
    if text is None:
        return ()
    if not re.fullmatch(r"\d{1,6}(,\d{1,6})*", text):
        raise click.BadParameter(
            f"'{text}' are not numbers of layers, like 7,8,9", context, parameter
        )
    return tuple(map(int, text.split(",")))


with_skipped_layers = together(
    click.option(
        "--skip-layers",
        "skip_guidance_layers",
        callback=_read_layers,
        metavar="N,N,…",
        help="SD3.5: guide away from what the network says without these of its layers.",
    ),
    click.option(
        "--skip-layer-scale",
        "skip_layer_guidance_scale",
        type=Number(min=0),
        help="How far away; default 2.8.",
    ),
    click.option(
        "--skip-layer-start",
        "skip_layer_guidance_start",
        type=Number(min=0, max=1),
        help="Share of the steps behind which it begins; default 0.01.",
    ),
    click.option(
        "--skip-layer-stop",
        "skip_layer_guidance_stop",
        type=Number(min=0, max=1),
        help="Share of the steps before which it ends; default 0.2.",
    ),
)
