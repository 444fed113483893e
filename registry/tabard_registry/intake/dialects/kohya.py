# SPDX-License-Identifier: Apache-2.0
"""The kohya dialect: `lora_unet_…` and `lora_te_…` keys with alpha tensors, as LyCORIS too."""

from __future__ import annotations

from tabard_registry.intake.dialect import Context, Reading
from tabard_registry.intake.dialects.by_module import Place, read_modules
from tabard_registry.intake.dialects.module_names import kohya_modules
from tabard_registry.intake.files.safetensors import TensorFile
from tabard_registry.intake.methods.glora import Glora
from tabard_registry.intake.methods.loha import Loha
from tabard_registry.intake.methods.lokr import Lokr
from tabard_registry.intake.methods.module_tensors import Alpha
from tabard_registry.intake.methods.oft import Oft

_PARTS = {
    "lora_down.weight": "down",
    "lora_up.weight": "up",
    "lora_mid.weight": "mid",
    "alpha": "alpha",
    "dora_scale": "dora_scale",
    **{part: part for part in (*Loha.parts, *Lokr.parts, *Oft.parts)},
    **{part: part for part in ("diff", "diff_b", "w_norm", "b_norm", "on_input")},
    **{f"{part}.weight": part for part in Glora.parts},
    "weight": "ia3_weight",
}
_PREFIXES = ("lora_unet_", "lora_te_", "lora_te1_", "lora_te2_")


class Kohya:
    """Implements `Dialect`."""

    name = "kohya"

    def claimed(self, file: TensorFile) -> frozenset[str]:
        """Claim what begins like kohya's modules."""
        return frozenset(k for k in file.tensors if k.startswith(_PREFIXES))

    def read(self, file: TensorFile, *, context: Context) -> Reading:
        """Look every module up; a layer without an alpha has alpha = rank, as kohya says."""
        modules = kohya_modules(context.profile)
        places: dict[str, Place | None] = {}
        for key in file.tensors:
            stem, _, tail = key.partition(".")
            target, part = modules.get(stem), _PARTS.get(tail)
            places[key] = (
                Place(component=target[0], module=target[1], part=part) if target and part else None
            )
        return read_modules(file, places=places, alpha_rule=_alpha_is_rank, context=context)


def _alpha_is_rank(component: str, module: str, rank: int) -> Alpha:
    return Alpha(value=rank)
