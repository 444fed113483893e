# SPDX-License-Identifier: Apache-2.0
"""The PEFT dialect: `base_model.model.…lora_A.weight`, with alpha in `adapter_config.json`."""

from __future__ import annotations

from tabard_registry.intake.dialect import Context, Reading
from tabard_registry.intake.dialects.by_module import Place, read_modules
from tabard_registry.intake.dialects.module_names import bare_modules
from tabard_registry.intake.files.safetensors import TensorFile
from tabard_registry.intake.methods.ia3 import PeftIa3
from tabard_registry.intake.methods.loha import Loha
from tabard_registry.intake.methods.lokr import Lokr
from tabard_registry.intake.methods.module_tensors import Alpha
from tabard_registry.intake.methods.oft import PeftBoft
from tabard_registry.intake.methods.peft_config import alpha_from, refuse_config

_PREFIX = "base_model.model."
_PARTS = {
    ".lora_A.weight": "down",
    ".lora_B.weight": "up",
    ".lora_A.default.weight": "down",
    ".lora_B.default.weight": "up",
    ".lora_B.bias": "up_bias",
    ".lora_B.default.bias": "up_bias",
    ".oft_R.weight": "oft_R",
    ".oft_R.default.weight": "oft_R",
    **{
        f".{part}{name}": part
        for part in (*PeftBoft.parts, *PeftIa3.parts)
        for name in ("", ".default")
    },
    ".lora_magnitude_vector": "magnitude_vector",
    ".lora_magnitude_vector.weight": "magnitude_vector",
    ".lora_magnitude_vector.default.weight": "magnitude_vector",
    **{f".{part}": part for part in (*Loha.parts, *Lokr.parts)},
}


class Peft:
    """Implements `Dialect`."""

    name = "peft"

    def claimed(self, file: TensorFile) -> frozenset[str]:
        """Claim what PEFT's wrapper prefixes."""
        return frozenset(key for key in file.tensors if key.startswith(_PREFIX))

    def read(self, file: TensorFile, *, context: Context) -> Reading:
        """Look every module up in all components; alpha needs the configuration."""
        config = context.config
        refusal = refuse_config(config, name=file.path.name) if config is not None else None
        if refusal is not None:
            return Reading(problems=(refusal,))
        modules = bare_modules(context.profile)
        places: dict[str, Place | None] = {}
        for key in file.tensors:
            places[key] = None
            for suffix, part in _PARTS.items():
                target = modules.get(key.removeprefix(_PREFIX).removesuffix(suffix))
                if key.endswith(suffix) and target is not None:
                    places[key] = Place(component=target[0], module=target[1], part=part)

        def alpha_rule(component: str, module: str, rank: int) -> Alpha | None:
            return alpha_from(config, module=module) if config is not None else None

        return read_modules(file, places=places, alpha_rule=alpha_rule, context=context)
