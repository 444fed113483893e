# SPDX-License-Identifier: Apache-2.0
"""Names that the original Stable Diffusion code gives to its UNet's modules, as it builds them.

A recipe in; dotted names out, norms too. Knows nothing of diffusers: what its names stand for is
asked of diffusers' own checkpoint converter.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_ATTENTION = (
    *(f"attn{n}.to_{part}" for n in (1, 2) for part in ("q", "k", "v", "out.0")),
    *("ff.net.0.proj", "ff.net.2", "norm1", "norm2", "norm3"),
)
_RESNET = ("in_layers.0", "in_layers.2", "emb_layers.1", "out_layers.0", "out_layers.3")


def original_names(recipe: dict[str, Any]) -> Iterator[str]:
    """Yield the name of every module with weights, in the order in which the code makes them."""
    widths, layers = recipe["block_out_channels"], recipe["layers_per_block"]
    depths = _depths(recipe)
    yield from ("time_embed.0", "time_embed.2")
    if recipe.get("addition_embed_type") == "text_time":
        yield from ("label_emb.0.0", "label_emb.0.2")
    yield "input_blocks.0.0"
    carried, channels, number = [widths[0]], widths[0], 1
    for level, width in enumerate(widths):
        for _ in range(layers):
            yield from _block(f"input_blocks.{number}", channels, width, depths[level])
            channels, number = width, number + 1
            carried.append(channels)
        if level < len(widths) - 1:
            yield f"input_blocks.{number}.0.op"
            number += 1
            carried.append(channels)
    yield from _resnet("middle_block.0", channels, channels)
    yield from _transformer("middle_block.1", _middle_depth(recipe))
    yield from _resnet("middle_block.2", channels, channels)
    number = 0
    for level, width in reversed(list(enumerate(widths))):
        for layer in range(layers + 1):
            yield from _block(
                f"output_blocks.{number}", channels + carried.pop(), width, depths[level]
            )
            channels = width
            if level and layer == layers:
                yield f"output_blocks.{number}.{2 if depths[level] else 1}.conv"
            number += 1
    yield from ("out.0", "out.2")


def _depths(recipe: dict[str, Any]) -> list[int]:
    kinds = recipe["down_block_types"]
    depths = recipe.get("transformer_layers_per_block", [1] * len(kinds))
    return [depth if "Attn" in kind else 0 for kind, depth in zip(kinds, depths, strict=True)]


def _middle_depth(recipe: dict[str, Any]) -> int:
    return int(recipe.get("transformer_layers_per_block", [1])[-1])


def _block(prefix: str, inputs: int, outputs: int, depth: int) -> Iterator[str]:
    yield from _resnet(f"{prefix}.0", inputs, outputs)
    if depth:
        yield from _transformer(f"{prefix}.1", depth)


def _resnet(prefix: str, inputs: int, outputs: int) -> Iterator[str]:
    yield from (f"{prefix}.{name}" for name in _RESNET)
    if inputs != outputs:
        yield f"{prefix}.skip_connection"


def _transformer(prefix: str, depth: int) -> Iterator[str]:
    yield from (f"{prefix}.{name}" for name in ("norm", "proj_in", "proj_out"))
    for block in range(depth):
        yield from (f"{prefix}.transformer_blocks.{block}.{name}" for name in _ATTENTION)
