# SPDX-License-Identifier: Apache-2.0
"""The ComfyUI dialect: the original code's dotted names, behind `diffusion_model.` or bare.

Text encoders are called by their size, `text_encoders.clip_l.transformer.…`. ComfyUI's trainer
writes it, and OneTrainer in its formats COMFY and ORIGINAL.
"""

from __future__ import annotations

from tabard_registry.intake.dialect import Context, Reading
from tabard_registry.intake.dialects.by_module import Place, Placement, misfit_of, read_modules
from tabard_registry.intake.dialects.module_names import Modules, comfyui_modules
from tabard_registry.intake.dialects.part_names import (
    FACTOR_PARTS,
    LETTERED_PARTS,
    ONETRAINER_OFT_PARTS,
)
from tabard_registry.intake.files.safetensors import TensorFile
from tabard_registry.intake.methods.module_tensors import Alpha
from tabard_registry.intake.methods.oft import COMFYUI_BLOCKS

_SUFFIXES = {
    f".{name}": part
    for name, part in {
        **FACTOR_PARTS,
        **LETTERED_PARTS,
        **ONETRAINER_OFT_PARTS,
        "oft_blocks": COMFYUI_BLOCKS,
    }.items()
}
_PREFIXES = ("diffusion_model.", "text_encoders.")
_BARE = (
    *("input_blocks.", "middle_block.", "output_blocks.", "time_embed.", "label_emb.", "out."),
    *("joint_blocks.", "double_blocks.", "single_blocks.", "final_layer."),
)


class Comfyui:
    """Implements `Dialect`."""

    name = "comfyui"
    has_configs = False

    def claimed(self, file: TensorFile) -> frozenset[str]:
        """Claim what begins like ComfyUI's models; of bare names what ends like an adapter's."""
        endings = tuple(_SUFFIXES)
        return frozenset(
            key
            for key in file.tensors
            if key.startswith(_PREFIXES) or (key.startswith(_BARE) and key.endswith(endings))
        )

    def read(self, file: TensorFile, *, context: Context) -> Reading:
        """Look every module up; a layer without an alpha has alpha = rank."""
        modules = comfyui_modules(context.profile)
        places = {key: _place(key, modules=modules) for key in file.tensors}
        return read_modules(file, places=places, alpha_rule=_alpha_is_rank, context=context)


def _place(key: str, *, modules: Modules) -> Placement:
    for suffix, part in _SUFFIXES.items():
        if key.endswith(suffix) and (target := modules.get(key.removesuffix(suffix))):
            return Place(component=target[0], module=target[1], part=part)
    return misfit_of(key, modules=modules)


def _alpha_is_rank(component: str, module: str, rank: int) -> Alpha:
    return Alpha(value=rank)
