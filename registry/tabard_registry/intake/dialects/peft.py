# SPDX-License-Identifier: Apache-2.0
"""The PEFT dialect: `base_model.model.…lora_A.weight`, with alpha in `adapter_config.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tabard_registry.intake.dialect import Context, Reading
from tabard_registry.intake.dialects.by_module import Place, Placement, misfit_of, read_modules
from tabard_registry.intake.dialects.configs import (
    find_configs,
    refuse_other_components,
    understood,
)
from tabard_registry.intake.dialects.module_names import bare_modules
from tabard_registry.intake.files.safetensors import TensorFile
from tabard_registry.intake.methods.ia3 import PeftIa3
from tabard_registry.intake.methods.loha import Loha
from tabard_registry.intake.methods.lokr import Lokr
from tabard_registry.intake.methods.module_tensors import Alpha
from tabard_registry.intake.methods.oft import PeftBoft
from tabard_registry.intake.methods.peft_config import BARE, PeftConfig
from tabard_registry.report import Problem

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
    has_configs = True

    def claimed(self, file: TensorFile) -> frozenset[str]:
        """Claim what PEFT's wrapper prefixes."""
        return frozenset(key for key in file.tensors if key.startswith(_PREFIX))

    def read(self, file: TensorFile, *, context: Context) -> Reading:
        """Look every module up in all components; alpha needs the configuration."""
        modules = bare_modules(context.profile)
        places: dict[str, Placement] = {}
        for key in file.tensors:
            places[key] = misfit_of(key.removeprefix(_PREFIX), modules=modules)
            for suffix, part in _PARTS.items():
                target = modules.get(key.removeprefix(_PREFIX).removesuffix(suffix))
                if key.endswith(suffix) and target is not None:
                    places[key] = Place(component=target[0], module=target[1], part=part)

        config, problems = _config(file, context=context)
        if any(not problem.is_warning for problem in problems):
            return Reading(problems=problems)

        def alpha_rule(component: str, module: str, rank: int) -> Alpha | None:
            return config.alpha(module) if config is not None else None

        reading = read_modules(file, places=places, alpha_rule=alpha_rule, context=context)
        return replace(reading, problems=(*problems, *reading.problems))


def _config(file: TensorFile, *, context: Context) -> tuple[PeftConfig | None, tuple[Problem, ...]]:
    found = find_configs(file, context=context)
    if not isinstance(found, Mapping):
        return None, found
    misplaced = refuse_other_components(found, has_bare=True, has_denoiser=False)
    if misplaced is not None:
        return None, (misplaced,)
    if BARE not in found:
        return None, ()
    return understood(found[BARE], context=context)
