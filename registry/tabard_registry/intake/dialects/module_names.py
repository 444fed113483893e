# SPDX-License-Identifier: Apache-2.0
"""Names under which trainers know the modules of a base, built from the names it really has.

Underscored names cannot be taken apart again: every dialect looks names up in a table made here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from tabard_registry.intake.profile import PROFILES_KEPT_MAX, BaseProfile
from tabard_registry.intake.transformer_names import originals

Modules = Mapping[str, tuple[str, str]]
"""From a foreign name to (component, module)."""

TEXT_COMPONENT = "text_encoder"
"""What the names of text encoders begin with."""
TEXT_PREFIX = "text_model."
"""What text-encoder modules always begin with in a profile."""
T5_PREFIX = "encoder.block."
"""What the modules of a T5 begin with."""
LYCORIS_ALONE = "lycoris_"
"""What LyCORIS' names begin with unless kohya's trainer called it."""

_INNER = re.compile(r"(down|up)_blocks\.(\d+)\.(attentions|resnets)\.(\d+)\.(.+)", re.ASCII)
_MIDDLE = re.compile(r"mid_block\.(attentions|resnets)\.(\d+)\.(.+)", re.ASCII)
_SAMPLER = re.compile(r"(down|up)_blocks\.(\d+)\.(?:down|up)samplers\.0\.conv", re.ASCII)
_OUTER = {
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
}
_RESNET = {
    "norm1": "in_layers.0",
    "norm2": "out_layers.0",
    "conv1": "in_layers.2",
    "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}


@lru_cache(maxsize=PROFILES_KEPT_MAX)
def kohya_modules(profile: BaseProfile) -> Modules:
    """Return every module by kohya's and LyCORIS' names, the UNet's in diffusers and sgm style.

    A name that would stand for two modules is left out.
    """
    pairs = [
        (prefix + name.replace(".", "_"), (component, module))
        for component in profile.modules
        for module, names in _all_names(profile, component)
        for prefix in _flat_prefixes(profile, component)
        for name in names
    ]
    return _unambiguous(pairs)


@lru_cache(maxsize=PROFILES_KEPT_MAX)
def lycoris_modules(profile: BaseProfile) -> tuple[Modules, ...]:
    """Return, for each text encoder, what LyCORIS calls its modules when it is given nothing else.

    Where there are two, `kohya_modules` cannot say which of them such a name means.
    """
    return tuple(
        {
            LYCORIS_ALONE + name.replace(".", "_"): (component, module)
            for module, names in _all_names(profile, component)
            for name in names
        }
        for component in _text_components(profile)
    )


@lru_cache(maxsize=PROFILES_KEPT_MAX)
def comfyui_modules(profile: BaseProfile) -> Modules:
    """Return every module by ComfyUI's names: the original code's behind a prefix, or bare."""
    denoiser = profile.denoiser
    pairs = [
        (prefix + original, (denoiser, module))
        for module, original in _originals(profile).items()
        for prefix in ("diffusion_model.", "")
    ]
    pairs += [
        (prefix + name, (component, module))
        for component, prefixes in _clip_prefixes(profile).items()
        for module in _named_modules(profile, component)
        for prefix in prefixes
        for name in _spellings(component, module)
    ]
    return _unambiguous(pairs)


def text_prefixes(profile: BaseProfile) -> Mapping[str, str]:
    """Return what kohya's names of each text encoder begin with, in a file that is written."""
    components = _text_components(profile)
    if profile.denoiser == "transformer":
        clips = [name for name in components if not _is_t5(profile, name)]
        numbers = {name: number for number, name in enumerate(clips, start=1)}
        # T5 is the third wherever it is, as ComfyUI expects.
        return {name: f"lora_te{numbers.get(name, 3)}_" for name in components}
    if len(components) == 1:
        return {components[0]: "lora_te_"}
    return {name: f"lora_te{number}_" for number, name in enumerate(components, start=1)}


@lru_cache(maxsize=PROFILES_KEPT_MAX)
def dotted_modules(profile: BaseProfile) -> Modules:
    """Return `component.module` of every module; text modules with and without `text_model.`."""
    pairs = [
        (f"{component}.{name}", (component, module))
        for component in profile.modules
        for module in _named_modules(profile, component)
        for name in _spellings(component, module)
    ]
    return _unambiguous(pairs)


@lru_cache(maxsize=PROFILES_KEPT_MAX)
def bare_modules(profile: BaseProfile) -> Modules:
    """Return every module without its component; text modules with and without `text_model.`."""
    pairs = [
        (name, (component, module))
        for component in profile.modules
        for module in _named_modules(profile, component)
        for name in _spellings(component, module)
    ]
    return _unambiguous(pairs)


@lru_cache(maxsize=PROFILES_KEPT_MAX)
def spellings_of(profile: BaseProfile) -> tuple[tuple[str, ...], ...]:
    """Return all names that writers have or had for every layer, without component; ours first."""
    return tuple(
        _spellings(component, module)
        for component, modules in profile.modules.items()
        for module in modules
    )


def _all_names(profile: BaseProfile, component: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each module with all its dotted names: of diffusers, and of the code it comes from."""
    modules = tuple(_named_modules(profile, component))
    originals = _originals(profile) if component == profile.denoiser else {}
    for module in modules:
        original = originals.get(module)
        yield module, (*_spellings(component, module), *([original] if original else []))


def _originals(profile: BaseProfile) -> Mapping[str, str]:
    """Return the modules of the denoiser that are one module of the code it comes from."""
    if profile.denoiser != "unet":
        known = {one.pieces[0].module: one.name for one in originals(profile) if one.is_whole}
        # What is fused there stands in the profile by its own name.
        fused = {one.name: one.name for one in originals(profile) if not one.is_whole}
        return {**known, **fused}
    blocks = _Blocks(tuple(_named_modules(profile, "unet")))
    names = ((module, blocks.original_name(module)) for module in _named_modules(profile, "unet"))
    return {module: name for module, name in names if name}


def _flat_prefixes(profile: BaseProfile, component: str) -> tuple[str, ...]:
    """Return what the underscored names of a component begin with, whoever wrote them.

    LyCORIS alone writes `lycoris_` before the names of whatever model it was given. Some write the
    only text encoder as the first of two.
    """
    alone = (LYCORIS_ALONE, f"{LYCORIS_ALONE}{component}_")
    if component == "unet":
        return "lora_unet_", "oft_unet_", *alone
    if component == "transformer":
        # kohya's trainers keep the word `unet`; OneTrainer says what it is.
        return "lora_unet_", "lora_transformer_", *alone
    usual = text_prefixes(profile)[component]
    place = _text_components(profile).index(component) + 1
    return *dict.fromkeys((usual, f"lora_te{place}_")), *alone


def _clip_prefixes(profile: BaseProfile) -> Mapping[str, tuple[str, ...]]:
    """Return what ComfyUI's names of each text encoder begin with: it names them by their size."""
    components = _text_components(profile)
    clips = [name for name in components if not _is_t5(profile, name)]
    is_alone = len(clips) == 1 and profile.denoiser == "unet"
    names = (("clip_l", "clip_h"),) if is_alone else (("clip_l",), ("clip_g",))
    found = {
        **dict(zip(clips, names, strict=False)),
        **{name: ("t5xxl",) for name in components if name not in clips},
    }
    return {
        component: tuple(f"text_encoders.{one}.transformer." for one in names)
        for component, names in found.items()
    }


def _is_t5(profile: BaseProfile, component: str) -> bool:
    """Whether a text encoder is a T5, by its layers."""
    return any(module.startswith(T5_PREFIX) for module in profile.modules[component])


def _text_components(profile: BaseProfile) -> list[str]:
    return sorted(name for name in profile.modules if name.startswith(TEXT_COMPONENT))


def _named_modules(profile: BaseProfile, component: str) -> Iterator[str]:
    """Yield layers first, then norms, which are what has a vector for a weight."""
    yield from profile.modules.get(component, {})
    for parameter in profile.vectors.get(component, {}):
        if parameter.endswith(".weight"):
            yield parameter.removesuffix(".weight")


class _Blocks:
    """The block arithmetic of the original Stable Diffusion code, for one UNet."""

    def __init__(self, modules: Iterable[str]) -> None:
        layers = 0
        with_attention: set[tuple[str, int]] = set()
        for module in modules:
            found = _INNER.fullmatch(module)
            if found is None:
                continue
            side, block, kind, place, _ = found.groups()
            layers = max(layers, int(place) + (side == "down"))
            if kind == "attentions":
                with_attention.add((side, int(block)))
        self._layers_per_block = layers
        self._with_attention = with_attention

    def original_name(self, module: str) -> str | None:
        """Return the original name of a diffusers module, or None when there is none."""
        if module in _OUTER:
            return _OUTER[module]
        if self._layers_per_block == 0:
            return None
        if found := _INNER.fullmatch(module):
            side, block, kind, place, tail = found.groups()
            return self._inner(side, int(block), kind, int(place), tail)
        if found := _MIDDLE.fullmatch(module):
            kind, place, tail = found.groups()
            return _named(
                f"middle_block.{1 if kind == 'attentions' else 2 * int(place)}", kind, tail
            )
        if found := _SAMPLER.fullmatch(module):
            return self._sampler(found[1], int(found[2]))
        return None

    def _inner(self, side: str, block: int, kind: str, place: int, tail: str) -> str | None:
        index = block * (self._layers_per_block + 1) + place
        prefix = f"input_blocks.{index + 1}" if side == "down" else f"output_blocks.{index}"
        return _named(f"{prefix}.{1 if kind == 'attentions' else 0}", kind, tail)

    def _sampler(self, side: str, block: int) -> str:
        last = (block + 1) * (self._layers_per_block + 1)
        if side == "down":
            return f"input_blocks.{last}.0.op"
        position = 2 if (side, block) in self._with_attention else 1
        return f"output_blocks.{last - 1}.{position}.conv"


def _named(prefix: str, kind: str, tail: str) -> str | None:
    if kind == "attentions":
        return f"{prefix}.{tail}"
    return f"{prefix}.{_RESNET[tail]}" if tail in _RESNET else None


def _spellings(component: str, module: str) -> tuple[str, ...]:
    if component.startswith(TEXT_COMPONENT) and module.startswith(TEXT_PREFIX):
        return module, module.removeprefix(TEXT_PREFIX)
    return (module,)


def _unambiguous(pairs: Iterable[tuple[str, tuple[str, str]]]) -> Modules:
    found: dict[str, tuple[str, str]] = {}
    ambiguous: set[str] = set()
    for name, target in pairs:
        if found.setdefault(name, target) != target:
            ambiguous.add(name)
    return {name: target for name, target in found.items() if name not in ambiguous}
