# SPDX-License-Identifier: Apache-2.0
"""What the original code of a transformer calls the modules of a base, and which rows each holds.

In: the layers and vectors of a transformer under diffusers' names. Out: originals, each with the
modules that hold its outputs. Where one original is several modules (a fused `qkv`), or lists its
outputs in another order (scale and shift), the rows say so. The names are those of Stability AI's
and Black Forest Labs' published code; the order of rows is that of diffusers' conversion scripts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from tabard_registry.intake.layers.products import Span
from tabard_registry.intake.profile import PROFILES_KEPT_MAX, BaseProfile


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A module of the base, as a part of an original.

    Attributes:
        module: Its name in the base.
        spans: Which rows of the original are its outputs, in its own order.
    """

    module: str
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """A module of the original code.

    Attributes:
        name: Its dotted name there.
        pieces: What it is in the base, in the order of its own rows.
        outputs: How many outputs it has.
    """

    name: str
    pieces: tuple[Piece, ...]
    outputs: int

    @property
    def is_whole(self) -> bool:
        """Whether it is one module, row by row."""
        return len(self.pieces) == 1 and self.pieces[0].spans == ((0, self.outputs),)


_QKV = ("to_q", "to_k", "to_v")
_ADDED = ("add_q_proj", "add_k_proj", "add_v_proj")
_EMBEDDERS = {
    "time_text_embed.timestep_embedder.linear_1": ("t_embedder.mlp.0", "time_in.in_layer"),
    "time_text_embed.timestep_embedder.linear_2": ("t_embedder.mlp.2", "time_in.out_layer"),
    "time_text_embed.text_embedder.linear_1": ("y_embedder.mlp.0", "vector_in.in_layer"),
    "time_text_embed.text_embedder.linear_2": ("y_embedder.mlp.2", "vector_in.out_layer"),
}
"""Modules of both families, with their names in SD3's code and in Flux's."""


def _attention(prefix: str, modules: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{prefix}.{module}" for module in modules)


_SD3_OUTER = {
    **{names[0]: (module,) for module, names in _EMBEDDERS.items()},
    "x_embedder.proj": ("pos_embed.proj",),
    "context_embedder": ("context_embedder",),
    "final_layer.linear": ("proj_out",),
    "final_layer.adaLN_modulation.1": ("norm_out.linear",),
}
_SD3_BLOCK = {
    "x_block.attn.qkv": _attention("attn", _QKV),
    "x_block.attn.proj": ("attn.to_out.0",),
    "x_block.attn.ln_q": ("attn.norm_q",),
    "x_block.attn.ln_k": ("attn.norm_k",),
    "x_block.attn2.qkv": _attention("attn2", _QKV),
    "x_block.attn2.proj": ("attn2.to_out.0",),
    "x_block.attn2.ln_q": ("attn2.norm_q",),
    "x_block.attn2.ln_k": ("attn2.norm_k",),
    "x_block.adaLN_modulation.1": ("norm1.linear",),
    "x_block.mlp.fc1": ("ff.net.0.proj",),
    "x_block.mlp.fc2": ("ff.net.2",),
    "context_block.attn.qkv": _attention("attn", _ADDED),
    "context_block.attn.proj": ("attn.to_add_out",),
    "context_block.attn.ln_q": ("attn.norm_added_q",),
    "context_block.attn.ln_k": ("attn.norm_added_k",),
    "context_block.adaLN_modulation.1": ("norm1_context.linear",),
    "context_block.mlp.fc1": ("ff_context.net.0.proj",),
    "context_block.mlp.fc2": ("ff_context.net.2",),
}
_FLUX_OUTER = {
    **{names[1]: (module,) for module, names in _EMBEDDERS.items()},
    "guidance_in.in_layer": ("time_text_embed.guidance_embedder.linear_1",),
    "guidance_in.out_layer": ("time_text_embed.guidance_embedder.linear_2",),
    "img_in": ("x_embedder",),
    "txt_in": ("context_embedder",),
    "final_layer.linear": ("proj_out",),
    "final_layer.adaLN_modulation.1": ("norm_out.linear",),
}
_FLUX_DOUBLE = {
    "img_mod.lin": ("norm1.linear",),
    "txt_mod.lin": ("norm1_context.linear",),
    "img_attn.qkv": _attention("attn", _QKV),
    "txt_attn.qkv": _attention("attn", _ADDED),
    "img_attn.proj": ("attn.to_out.0",),
    "txt_attn.proj": ("attn.to_add_out",),
    "img_attn.norm.query_norm": ("attn.norm_q",),
    "img_attn.norm.key_norm": ("attn.norm_k",),
    "txt_attn.norm.query_norm": ("attn.norm_added_q",),
    "txt_attn.norm.key_norm": ("attn.norm_added_k",),
    "img_mlp.0": ("ff.net.0.proj",),
    "img_mlp.2": ("ff.net.2",),
    "txt_mlp.0": ("ff_context.net.0.proj",),
    "txt_mlp.2": ("ff_context.net.2",),
}
_FLUX_SINGLE = {
    "modulation.lin": ("norm.linear",),
    "linear1": (*_attention("attn", _QKV), "proj_mlp"),
    "linear2": ("proj_out",),
    "norm.query_norm": ("attn.norm_q",),
    "norm.key_norm": ("attn.norm_k",),
}

_BLOCKS: Mapping[str, tuple[tuple[str, str, Mapping[str, tuple[str, ...]]], ...]] = {
    "sd3": (("transformer_blocks", "joint_blocks", _SD3_BLOCK),),
    "flux": (
        ("transformer_blocks", "double_blocks", _FLUX_DOUBLE),
        ("single_transformer_blocks", "single_blocks", _FLUX_SINGLE),
    ),
}
_OUTER = {"sd3": _SD3_OUTER, "flux": _FLUX_OUTER}
_BLOCK = re.compile(r"((?:single_)?transformer_blocks)\.(\d+)\.", re.ASCII)


@lru_cache(maxsize=PROFILES_KEPT_MAX)
def originals(profile: BaseProfile) -> tuple[Original, ...]:
    """Return every module of the original code whose parts a base has; none of a UNet's."""
    own = profile.modules.get("transformer", {})
    inputs = {name: shape.inputs for name, shape in own.items()}
    outputs = {
        **{
            name.removesuffix(".weight"): width
            for name, width in profile.vectors.get("transformer", {}).items()
            if name.endswith(".weight")
        },
        **{name: shape.outputs for name, shape in own.items()},
    }
    return originals_of(profile.family, inputs=inputs, outputs=outputs)


def originals_of(
    family: str, *, inputs: Mapping[str, int], outputs: Mapping[str, int]
) -> tuple[Original, ...]:
    """Return the same for a transformer that nobody made a profile of yet.

    Args:
        family: `sd3` or `flux`; others have none.
        inputs: Layer to how many inputs it has.
        outputs: Layer or norm to how many outputs it has.
    """
    return tuple(
        Original(name=name, pieces=_pieces(modules, outputs), outputs=_total(modules, outputs))
        if not _is_swapped(modules[0], outputs=outputs, inputs=inputs)
        else _swapped(name, module=modules[0], outputs=outputs[modules[0]])
        for name, modules in _names(family, outputs)
        if all(module in outputs for module in modules)
    )


def _names(family: str, known: Mapping[str, int]) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield from _OUTER.get(family, {}).items()
    found = {(m[1], int(m[2])) for m in map(_BLOCK.match, known) if m is not None}
    for theirs, original, table in _BLOCKS.get(family, ()):
        for at in sorted(at for kind, at in found if kind == theirs):
            for tail, modules in table.items():
                yield f"{original}.{at}.{tail}", tuple(f"{theirs}.{at}.{m}" for m in modules)


def _is_swapped(module: str, *, outputs: Mapping[str, int], inputs: Mapping[str, int]) -> bool:
    """Whether it writes shift before scale: what modulates the last norm of a stream."""
    ends = module == "norm_out.linear" or module.endswith(".norm1_context.linear")
    return ends and outputs[module] == 2 * inputs.get(module, 0)


def _swapped(name: str, *, module: str, outputs: int) -> Original:
    half = outputs // 2
    piece = Piece(module=module, spans=((half, outputs), (0, half)))
    return Original(name=name, pieces=(piece,), outputs=outputs)


def _pieces(modules: tuple[str, ...], outputs: Mapping[str, int]) -> tuple[Piece, ...]:
    pieces, start = [], 0
    for module in modules:
        pieces.append(Piece(module=module, spans=((start, start + outputs[module]),)))
        start += outputs[module]
    return tuple(pieces)


def _total(modules: tuple[str, ...], outputs: Mapping[str, int]) -> int:
    return sum(outputs[module] for module in modules)
