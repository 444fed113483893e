# SPDX-License-Identifier: Apache-2.0
"""Files of every kind of change, of the fused layers of tiny transformers, in trainers' own names.

What each makes of which weight is computed here, from the tensors that are written. Numbers are
multiples of a power of two, so that a product that the intake multiplies out is rounded nowhere.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from tests.bases import write_inversion, write_inversion_pair
from tests.server.engine.transformers.fused_files import Dense, Place, fused_stems, module_of
from tests.tiny_models import TEXT_WIDTHS

Parts = Mapping[str, torch.Tensor]
"""Last part of a key to tensor."""
_RANK = 2
_NORMS = {
    "sd3": {"joint_blocks_0_x_block_attn_ln_q": "transformer_blocks.0.attn.norm_q"},
    "flux": {
        "double_blocks_0_img_attn_norm_query_norm": "transformer_blocks.0.attn.norm_q",
        "single_blocks_0_norm_key_norm": "single_transformer_blocks.0.attn.norm_k",
    },
}


def write_kind(pipe: Any, file: Path, *, kind: str, family: str, seed: int) -> Dense:
    """Write a file of a kind of `KINDS`, for a base in float32; return what it makes of weights."""
    dice = torch.Generator().manual_seed(seed)
    tensors: dict[str, torch.Tensor] = {}
    added: dict[Place, torch.Tensor] = {}
    lengths: dict[Place, torch.Tensor] = {}
    for stem, places in fused_stems(family).items():
        bare = torch.cat([module_of(pipe, place).weight.data for place in places])
        parts, difference = _WRITERS[kind](bare, dice)
        tensors |= {f"{stem}.{name}": value for name, value in parts.items()}
        rows = [module_of(pipe, place).weight.shape[0] for place in places]
        added |= dict(zip(places, difference.split(rows), strict=True))
        if (magnitude := parts.get("dora_scale")) is not None:
            pieces = magnitude.double().split(rows)
            lengths |= dict(zip(places, pieces, strict=True))
    save_file(tensors, str(file))
    return Dense(file=file, added=added, lengths=lengths)


def write_norms_and_biases(pipe: Any, file: Path, *, family: str, seed: int) -> Dense:
    """Write differences of norms, and of the biases of fused layers."""
    dice = torch.Generator().manual_seed(seed)
    tensors: dict[str, torch.Tensor] = {}
    added: dict[Place, torch.Tensor] = {}
    added_to_bias: dict[Place, torch.Tensor] = {}
    for stem, name in _NORMS[family].items():
        difference = _numbers(*module_of(pipe, ("transformer", name)).weight.shape, dice=dice)
        tensors[f"lora_unet_{stem}.w_norm"] = difference
        added["transformer", name] = difference.double()
    for stem, places in fused_stems(family).items():
        modules = [module_of(pipe, place) for place in places]
        if any(module.bias is None for module in modules):
            continue
        rows = [len(module.bias) for module in modules]
        difference = _numbers(sum(rows), dice=dice)
        tensors[f"{stem}.diff_b"] = difference
        added_to_bias |= dict(zip(places, difference.double().split(rows), strict=True))
    save_file(tensors, str(file))
    return Dense(file=file, added=added, added_to_bias=added_to_bias)


def change_weights(pipe: Any, bare: Any, one: Dense, *, weight: float) -> None:
    """Make of a pipeline's weights what a file makes of them, worn after what is there.

    Args:
        pipe: Whose weights are changed.
        bare: The same base as it was: the lengths of a DoRA are compared with it.
        one: What the file says.
        weight: How strongly it is worn.
    """
    for place, difference in one.added.items():
        now: torch.Tensor = module_of(pipe, place).weight.data
        now += weight * difference
        if (wanted := one.lengths.get(place)) is not None:
            own = module_of(bare, place).weight.data + weight * difference
            now *= wanted / own.norm(dim=1, keepdim=True)
    for place, difference in one.added_to_bias.items():
        module_of(pipe, place).bias.data += weight * difference


def write_word(file: Path, *, token: str, family: str, seed: int) -> Dense:
    """Write a Textual Inversion of two vectors, for every CLIP that the base has."""
    widths = TEXT_WIDTHS[family]
    if len(widths) == 1:
        write_inversion(file, token=token, width=widths[0], vectors=2, seed=seed)
    else:
        write_inversion_pair(file, widths=(widths[0], widths[1]), vectors=2, seed=seed)
    components = {token: "text_encoder", "clip_l": "text_encoder", "clip_g": "text_encoder_2"}
    tensors = load_file(str(file))
    return Dense(file=file, taught={components[key]: value for key, value in tensors.items()})


def teach(pipe: Any, one: Dense, *, token: str) -> None:
    """Let the CLIPs of a pipeline know a word: tokens of its own, one for each vector."""
    for component, vectors in one.taught.items():
        model = getattr(pipe, component)
        tokenizer = getattr(pipe, component.replace("text_encoder", "tokenizer"))
        names = tokens_of(token, count=len(vectors))
        assert tokenizer.add_tokens(names) == len(vectors)
        model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
        ids = tokenizer.convert_tokens_to_ids(names)
        model.get_input_embeddings().weight.data[ids] = vectors.to(model.dtype)


def tokens_of(token: str, *, count: int) -> list[str]:
    """Return the tokens that a taught word is spelt with, as diffusers names them."""
    return [token, *(f"{token}_{number}" for number in range(1, count))]


def _numbers(*shape: int, dice: torch.Generator) -> torch.Tensor:
    return torch.randint(-8, 9, shape, generator=dice) / 16


def _dora(bare: torch.Tensor, dice: torch.Generator) -> tuple[Parts, torch.Tensor]:
    outputs, inputs = bare.shape
    down, up = _numbers(_RANK, inputs, dice=dice), _numbers(outputs, _RANK, dice=dice)
    lengths = bare.norm(dim=1, keepdim=True) * (1 + torch.rand(outputs, 1, generator=dice) / 2)
    parts = {
        "lora_down.weight": down,
        "lora_up.weight": up,
        "alpha": torch.tensor(_RANK / 2),
        "dora_scale": lengths,
    }
    return parts, up.double() @ down.double() / 2


def _loha(bare: torch.Tensor, dice: torch.Generator) -> tuple[Parts, torch.Tensor]:
    outputs, inputs = bare.shape
    parts = {
        "hada_w1_a": _numbers(outputs, _RANK, dice=dice),
        "hada_w1_b": _numbers(_RANK, inputs, dice=dice),
        "hada_w2_a": _numbers(outputs, _RANK, dice=dice),
        "hada_w2_b": _numbers(_RANK, inputs, dice=dice),
    }
    first, second = (
        parts[f"hada_w{one}_a"].double() @ parts[f"hada_w{one}_b"].double() for one in (1, 2)
    )
    return {**parts, "alpha": torch.tensor(_RANK / 2)}, first * second / 2


def _lokr(bare: torch.Tensor, dice: torch.Generator) -> tuple[Parts, torch.Tensor]:
    """A small whole half, and a large one in factors: slots take it."""
    outputs, inputs = bare.shape
    parts = {
        "lokr_w1": _numbers(2, 2, dice=dice),
        "lokr_w2_a": _numbers(outputs // 2, _RANK, dice=dice),
        "lokr_w2_b": _numbers(_RANK, inputs // 2, dice=dice),
        "alpha": torch.tensor(_RANK / 2),
    }
    right = parts["lokr_w2_a"].double() @ parts["lokr_w2_b"].double()
    return parts, torch.kron(parts["lokr_w1"].double(), right) / 2


def _whole_lokr(bare: torch.Tensor, dice: torch.Generator) -> tuple[Parts, torch.Tensor]:
    """Two whole halves: beyond what slots take, and no block of its rows is such a product."""
    outputs, inputs = bare.shape
    parts = {
        "lokr_w1": _numbers(4, 2, dice=dice),
        "lokr_w2": _numbers(outputs // 4, inputs // 2, dice=dice) / 4,
    }
    return parts, torch.kron(parts["lokr_w1"].double(), parts["lokr_w2"].double())


_WRITERS: Mapping[str, Callable[[torch.Tensor, torch.Generator], tuple[Parts, torch.Tensor]]] = {
    "dora": _dora,
    "loha": _loha,
    "lokr": _lokr,
    "whole_lokr": _whole_lokr,
}
KINDS = tuple(_WRITERS)
"""Every kind that `write_kind` writes."""
