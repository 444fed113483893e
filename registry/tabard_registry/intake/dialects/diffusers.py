# SPDX-License-Identifier: Apache-2.0
"""The diffusers dialect: dotted module names under the denoiser and each text encoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tabard_registry.intake.dialect import Context, Reading
from tabard_registry.intake.dialects.by_module import Place, Placement, misfit_of, read_modules
from tabard_registry.intake.dialects.configs import (
    COMPONENTS,
    find_configs,
    no_config_of,
    no_tensors_of,
    refuse_other_components,
    understood,
)
from tabard_registry.intake.dialects.module_names import Modules, dotted_modules
from tabard_registry.intake.dialects.part_names import FACTOR_PARTS, ONETRAINER_OFT_PARTS
from tabard_registry.intake.files.safetensors import TensorFile
from tabard_registry.intake.methods.loha import Loha
from tabard_registry.intake.methods.lokr import Lokr
from tabard_registry.intake.methods.module_tensors import Alpha
from tabard_registry.intake.methods.peft_config import BARE, PeftConfig
from tabard_registry.report import Problem

_SUFFIXES = (
    (".lora_A.weight", "down"),
    (".lora_B.weight", "up"),
    (".lora_A.default.weight", "down"),
    (".lora_B.default.weight", "up"),
    (".lora.down.weight", "down"),
    (".lora.up.weight", "up"),
    (".lora_linear_layer.down.weight", "down"),
    (".lora_linear_layer.up.weight", "up"),
    ("_lora.down.weight", "down"),
    ("_lora.up.weight", "up"),
    (".lora.up.bias", "up_bias"),
    (".lora_linear_layer.up.bias", "up_bias"),
    ("_lora.up.bias", "up_bias"),
    (".lora_B.bias", "up_bias"),
    (".lora_B.default.bias", "up_bias"),
    (".lora_magnitude_vector", "magnitude_vector"),
    (".lora_magnitude_vector.weight", "magnitude_vector"),
    (".lora_magnitude_vector.default.weight", "magnitude_vector"),
    (".lora.alpha", "alpha"),
    *((f".{name}", part) for name, part in FACTOR_PARTS.items()),
)
_ONETRAINER_SUFFIXES = tuple((f".{name}", part) for name, part in ONETRAINER_OFT_PARTS.items())
_ONETRAINER_WORDS = ("ot_branch", "ot_revision")
"""What OneTrainer always leaves in a header."""
_CONFIGURED = frozenset((*Loha.parts, *Lokr.parts))
"""The parts whose alpha only PEFT leaves out; it stands in the configuration then."""
_COMPONENTS = tuple(f"{component}." for component in COMPONENTS)
_BARE = (
    *("down_blocks.", "mid_block.", "up_blocks.", "conv_in.", "conv_out."),
    *("time_embedding.", "add_embedding."),
    *("transformer_blocks.", "single_transformer_blocks."),
)
_ALPHA_TWICE = Problem(
    reason="BAD_ALPHA",
    message="alphas stand in tensors and in the configuration",
    remedy="Export the file again: diffusers itself takes no file that has both.",
)


class Diffusers:
    """Implements `Dialect`."""

    name = "diffusers"
    has_configs = True

    def claimed(self, file: TensorFile) -> frozenset[str]:
        """Claim what begins with a component, or with a block as the oldest files do."""
        return frozenset(k for k in file.tensors if k.startswith(_COMPONENTS + _BARE))

    def read(self, file: TensorFile, *, context: Context) -> Reading:
        """Look every module up; alpha is a tensor's, else the header's, else the rank."""
        modules = dotted_modules(context.profile)
        suffixes = (*_SUFFIXES, *(_ONETRAINER_SUFFIXES if _is_of_onetrainer(file) else ()))
        denoiser = context.profile.denoiser
        places = {
            key: _place(key, modules=modules, suffixes=suffixes, denoiser=denoiser)
            for key in file.tensors
        }
        configs, problems = _configs(file, places=places, context=context)
        if any(not problem.is_warning for problem in problems):
            return Reading(problems=problems)
        configured = {
            (place.component, place.module)
            for place in places.values()
            if isinstance(place, Place) and place.part in _CONFIGURED
        }

        def alpha_rule(component: str, module: str, rank: int) -> Alpha | None:
            config = configs.get(component)
            if config is not None:
                return config.alpha(module)
            return None if (component, module) in configured else Alpha(value=rank)

        reading = read_modules(file, places=places, alpha_rule=alpha_rule, context=context)
        return replace(reading, problems=(*problems, *reading.problems))


def _configs(
    file: TensorFile, *, places: Mapping[str, Placement], context: Context
) -> tuple[Mapping[str, PeftConfig], tuple[Problem, ...]]:
    """Return the configurations of the components that the file has tensors of, and problems."""
    found = find_configs(file, context=context)
    if not isinstance(found, Mapping):
        return {}, found
    has_bare = any(key.startswith(_BARE) for key in file.tensors)
    denoiser = context.profile.denoiser
    has_denoiser = any(key.startswith(f"{denoiser}.") for key in file.tensors)
    misplaced = refuse_other_components(found, has_bare=has_bare, has_denoiser=has_denoiser)
    if misplaced is not None:
        return {}, (misplaced,)
    configs: dict[str, PeftConfig] = {}
    problems: dict[Problem, None] = {}
    placed = [place for place in places.values() if isinstance(place, Place)]
    for component in sorted({place.component for place in placed}):
        own = found.get(BARE if component == denoiser and has_bare else component)
        if own is None and found:
            problems[no_config_of(component, found=found)] = None
        if own is not None:
            config, said = understood(own, context=context)
            problems.update(dict.fromkeys(said))
            if config is not None:
                configs[component] = config
    idle = found.keys() - {BARE} - {place.component for place in placed}
    problems |= {no_tensors_of(component, found=found): None for component in sorted(idle)}
    if any(place.part == "alpha" and place.component in configs for place in placed):
        problems[_ALPHA_TWICE] = None
    return configs, tuple(problems)


def _is_of_onetrainer(file: TensorFile) -> bool:
    """Whether OneTrainer says that it wrote the file: PEFT calls numbers of another OFT alike."""
    return any(word in file.metadata for word in _ONETRAINER_WORDS)


def _place(
    key: str, *, modules: Modules, suffixes: Sequence[tuple[str, str]], denoiser: str
) -> Placement:
    full = f"{denoiser}.{key}" if key.startswith(_BARE) else key
    for suffix, part in suffixes:
        if full.endswith(suffix):
            stem = full.removesuffix(suffix)
            if suffix.startswith("_"):
                stem = _oldest_stem(stem)
            target = modules.get(stem)
            if target is not None:
                return Place(component=target[0], module=target[1], part=part)
    return misfit_of(full, modules=modules)


def _oldest_stem(stem: str) -> str:
    """Undo the names of the oldest files: `attn1.processor.to_out` is `attn1.to_out.0`.

    They called the layers of text encoders alike: `self_attn.to_q` is `self_attn.q_proj`.
    """
    stem = stem.replace(".processor.", ".")
    before, _, name = stem.rpartition(".to_")
    if before.endswith(".self_attn"):
        return f"{before}.{name}_proj"
    return f"{stem}.0" if name == "out" else stem
