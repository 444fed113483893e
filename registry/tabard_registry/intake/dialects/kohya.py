# SPDX-License-Identifier: Apache-2.0
"""The kohya dialect: underscored names, `lora_unet_…`, `lora_te_…`, `lycoris_…`, `oft_unet_…`.

kohya's trainers, LyCORIS and OneTrainer write it; alpha is a tensor.
"""

from __future__ import annotations

from tabard_registry.intake.dialect import Context, Reading
from tabard_registry.intake.dialects.by_module import Misfit, Place, Placement, read_modules
from tabard_registry.intake.dialects.module_names import (
    LYCORIS_ALONE,
    Modules,
    kohya_modules,
    lycoris_modules,
)
from tabard_registry.intake.dialects.part_names import FACTOR_PARTS, ONETRAINER_OFT_PARTS
from tabard_registry.intake.files.safetensors import TensorFile
from tabard_registry.intake.methods.glora import Glora
from tabard_registry.intake.methods.module_tensors import Alpha
from tabard_registry.intake.methods.oft import KOHYA_BLOCKS, Oft

_PARTS = {
    **FACTOR_PARTS,
    **{part: part for part in Oft.parts},
    **ONETRAINER_OFT_PARTS,
    **{f"{part}.weight": part for part in Glora.parts},
    "weight": "ia3_weight",
    "on_input": "on_input",
}
_KOHYA_OFT_PARTS = {"oft_blocks": KOHYA_BLOCKS, "alpha": "alpha"}
_KOHYA_OFT = "oft_unet_"
_PREFIXES = (
    *("lora_unet_", "lora_transformer_", "lora_te_", "lora_te1_", "lora_te2_", "lora_te3_"),
    *(LYCORIS_ALONE, _KOHYA_OFT),
)


class Kohya:
    """Implements `Dialect`."""

    name = "kohya"
    has_configs = False

    def claimed(self, file: TensorFile) -> frozenset[str]:
        """Claim what begins like kohya's modules."""
        return frozenset(k for k in file.tensors if k.startswith(_PREFIXES))

    def read(self, file: TensorFile, *, context: Context) -> Reading:
        """Look every module up; a layer with no alpha or 0 has alpha = rank, as kohya says."""
        modules = kohya_modules(context.profile)
        if any(key.startswith(LYCORIS_ALONE) and _stem(key) not in modules for key in file.tensors):
            alone = [
                _read(file, modules={**modules, **more}, context=context)
                for more in lycoris_modules(context.profile)
            ]
            # The name of a layer does not say of which text encoder it is, and its size does.
            sound = [x for x in alone if all(problem.is_warning for problem in x.problems)]
            if len(sound) == 1:
                return sound[0]
        return _read(file, modules=modules, context=context)


def _read(file: TensorFile, *, modules: Modules, context: Context) -> Reading:
    places: dict[str, Placement] = {}
    for key in file.tensors:
        stem, _, tail = key.partition(".")
        parts = _KOHYA_OFT_PARTS if stem.startswith(_KOHYA_OFT) else _PARTS
        places[key] = None
        if target := modules.get(stem):
            part = parts.get(tail)
            places[key] = (
                Place(component=target[0], module=target[1], part=part)
                if part
                else Misfit(module=target[1], suffix=f".{tail}")
            )
    return read_modules(
        file, places=places, alpha_rule=_alpha_is_rank, context=context, is_zero_no_alpha=True
    )


def _stem(key: str) -> str:
    return key.partition(".")[0]


def _alpha_is_rank(component: str, module: str, rank: int) -> Alpha:
    return Alpha(value=rank)
