# SPDX-License-Identifier: Apache-2.0
"""How large a thing a configuration may describe: judged before anything is built of it.

In: a configuration. Out: nothing, or a refusal that names the number. Models of the served
families, and of anything made like them, stay far below these bounds.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tabard_server.engine_port.errors import BaseNotLoadable

NUMBER_MAX = 1 << 20
"""Greatest number that a configuration may give: a vocabulary has some 50,000 words."""
LAYERS_MAX = 256
"""Most layers of one model, counted as if each of its blocks were the deepest; SDXL has 180."""
_HINT = "copy or download the folder again: no model of a served family says that"
_SIGNED = re.compile(r"latents_|shift_|lambda_|.*_token_id$")
"""Whole numbers below zero are at home there."""
_DEPTHS = ("layers_per_block", "num_hidden_layers", "num_layers", "num_single_layers")
_INNER = ("transformer_layers_per_block", "reverse_transformer_layers_per_block")
_BLOCKS = ("block_out_channels", "down_block_types", "up_block_types")


def refuse_oversized(config: Mapping[str, Any], *, file: Path) -> None:
    """Refuse a configuration that asks for more than any model of its kind has.

    Raises:
        BaseNotLoadable: A number in it, or the count of layers, is beyond the bounds.
    """
    for name, number in _numbers(config):
        if isinstance(number, int) and number < 0 and not _SIGNED.match(name):
            raise BaseNotLoadable(
                f"{file} says {str(number)[:40]} for {name[:80]}, which is a count", hint=_HINT
            )
        if NUMBER_MAX < abs(number) < float("inf"):
            raise BaseNotLoadable(
                f"{file} says {str(number)[:40]} for {name[:80]}, and at most {NUMBER_MAX} is read",
                hint=_HINT,
            )
    layers = _layer_count(config)
    if layers > LAYERS_MAX:
        raise BaseNotLoadable(
            f"{file} describes {layers} layers, and at most {LAYERS_MAX} are read", hint=_HINT
        )


def _numbers(value: Any, *, name: str = "") -> Iterator[tuple[str, float]]:
    """Yield every number, however deep it stands, with the field that it stands in."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _numbers(inner, name=str(key))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _numbers(inner, name=name)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield name, value


def _layer_count(config: Mapping[str, Any]) -> int:
    """Count the layers of both sides of a model's blocks, or of the text half in a whole CLIP."""
    depth, inner = (
        max((_most(config.get(name)) for name in names), default=0) for names in (_DEPTHS, _INNER)
    )
    lists = [config[name] for name in _BLOCKS if isinstance(config.get(name), list | tuple)]
    blocks = max(map(len, lists), default=0)
    own = 2 * blocks * (depth + 1) * max(inner, 1) if blocks else depth
    tables = [value for value in config.values() if isinstance(value, Mapping)]
    return max([own, *map(_layer_count, tables)])


def _most(value: Any) -> int:
    return max(
        (int(number) for _name, number in _numbers(value) if abs(number) <= NUMBER_MAX), default=0
    )
