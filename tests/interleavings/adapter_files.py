# SPDX-License-Identifier: Apache-2.0
"""Files to publish: one function for each kind of adapter, and any number of variants of each.

In: a base, a kind and a seed. Out: a file. A kind is written once by the writers that people use;
variants have the same layers with other numbers, so that making one takes a millisecond.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from tests.bases import (
    load_pipeline,
    write_diffusers_lora,
    write_inversion,
    write_inversion_pair,
    write_kohya_lora,
)
from tests.server.engine.transformers.fused_files import write_differences, write_fused_lora
from tests.server.engine.transformers.kinds import write_kind
from tests.tiny_models import TEXT_WIDTHS
from tests.writers import write_locon, write_peft_lora

RANK_BULKY = 30
SLOT_RANKS = 48
"""Ranks of all slots: a few adapters at once, and one bulky one, but never two of these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of adapter.

    Attributes:
        write: From a base and where to write, to a first file of this kind.
        factor: What the numbers of its variants are multiplied with.
        token: The placeholder that it teaches, or nothing.
        weights: What it is worn with.
        lines: How many release lines are of this kind.
        is_merged_only: Whether only a merged copy can wear it.
    """

    write: Callable[[Path, Path], Path]
    factor: float = 1.0
    token: str = ""
    weights: tuple[float, ...] = (1.0, 0.6, -0.4)
    lines: int = 1
    is_merged_only: bool = False


def _lora(base: Path, file: Path) -> Path:
    return write_diffusers_lora(base, file, seed=1)


def _text(base: Path, file: Path) -> Path:
    texts = ("q_proj", "v_proj", "fc1")
    return write_diffusers_lora(base, file, seed=2, targets=(), text_targets=texts)


def _convolutions(base: Path, file: Path) -> Path:
    return write_peft_lora(base, file, seed=3, use_dora=False)


def _dora(base: Path, file: Path) -> Path:
    return write_peft_lora(base, file, seed=4)


def _kohya(base: Path, file: Path) -> Path:
    return write_kohya_lora(base, file, seed=5, rank=6, alphas=(3.0, 1.5))


def _tucker(base: Path, file: Path) -> Path:
    return write_locon(base, file, seed=6, is_tucker=True)


def _bulky(base: Path, file: Path) -> Path:
    return write_diffusers_lora(base, file, seed=7, rank=RANK_BULKY, alpha=RANK_BULKY, scale=0.1)


def _whole(base: Path, file: Path) -> Path:
    """Full differences of some layers: only a merged copy can wear them."""
    pairs = load_file(str(write_kohya_lora(base, file.with_suffix(".pairs"), seed=9, rank=6)))
    differences: dict[str, torch.Tensor] = {}
    for key in sorted(pairs):
        name, _, part = key.partition(".")
        if part == "lora_up.weight":
            up, down = pairs[key], pairs[f"{name}.lora_down.weight"]
            product = up.flatten(1) @ down.flatten(1)
            differences[f"{name}.diff"] = product.view(*product.shape, *down.shape[2:])
    save_file(differences, str(file))
    return file


def _word(base: Path, file: Path) -> Path:
    (width,) = TEXT_WIDTHS["sd1"]
    return write_inversion(file, token="<plum>", width=width, vectors=2, seed=8)


KINDS: Mapping[str, Kind] = {
    "lora": Kind(write=_lora, lines=2),
    "text": Kind(write=_text),
    "convolutions": Kind(write=_convolutions, factor=0.5),
    "dora": Kind(write=_dora, factor=0.5),
    "kohya": Kind(write=_kohya),
    "tucker": Kind(write=_tucker, factor=0.5),
    "bulky": Kind(write=_bulky, lines=2),
    "whole": Kind(write=_whole, factor=0.5, lines=2, is_merged_only=True),
    "word": Kind(write=_word, token="<plum>", weights=(1.0,)),
    # Finite numbers, as the intake wants them, whose products are not.
    "poison": Kind(write=_lora, factor=1e38),
}
"""The kinds by name. A new one is a function that writes a file, and a line here."""


def _fused(base: Path, file: Path) -> Path:
    return write_fused_lora(load_pipeline(base), file, family="sd3", seed=5, rank=6).file


def _kronecker(base: Path, file: Path) -> Path:
    return write_kind(load_pipeline(base), file, kind="lokr", family="sd3", seed=6).file


def _whole_rows(base: Path, file: Path) -> Path:
    return write_differences(load_pipeline(base), file, family="sd3", seed=9).file


def _word_of_two(base: Path, file: Path) -> Path:
    first, second = TEXT_WIDTHS["sd3"]
    return write_inversion_pair(file, widths=(first, second), vectors=2, seed=8)


_OTHERWISE: Mapping[str, Mapping[str, Callable[[Path, Path], Path]]] = {
    "sd1": {},
    "sd3": {
        "kohya": _fused,
        "tucker": _kronecker,
        "whole": _whole_rows,
        "word": _word_of_two,
    },
}
"""By family: kinds that its layers are written in other ways for."""


class FileMaker:
    """Makes files of every kind for one base. One thread."""

    def __init__(self, base: Path, *, folder: Path, family: str) -> None:
        self._folder = folder
        self._templates: dict[str, tuple[dict[str, torch.Tensor], dict[str, str]]] = {}
        for name, kind in KINDS.items():
            write = _OTHERWISE[family].get(name, kind.write)
            file = write(base, folder / f"{name}.safetensors")
            with safe_open(str(file), framework="pt") as opened:
                self._templates[name] = (load_file(str(file)), opened.metadata() or {})

    def make(self, kind: str, *, seed: int) -> Path:
        """Write a variant of a kind; return its file."""
        tensors, metadata = self._templates[kind]
        generator = torch.Generator().manual_seed(seed)
        varied = {
            key: _vary(key, tensors[key], generator=generator, factor=KINDS[kind].factor)
            for key in sorted(tensors)
        }
        file = self._folder / f"{kind}-{seed}.safetensors"
        save_file(varied, str(file), metadata=metadata)
        return file


def _vary(
    key: str, tensor: torch.Tensor, *, generator: torch.Generator, factor: float
) -> torch.Tensor:
    if key.endswith("alpha"):
        return tensor
    if "magnitude" in key or "dora_scale" in key:
        return tensor * (1 + torch.rand(tensor.shape, generator=generator) / 4)
    return torch.randn(tensor.shape, generator=generator) * tensor.std() * factor
