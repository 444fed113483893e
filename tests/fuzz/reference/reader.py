# SPDX-License-Identifier: Apache-2.0
"""A second reader of adapter files, tiny and slow: the safetensors package and textbook formulas.

Bytes in; what they change, in float64, or `Unsound` with the reason. It shares no code with the
intake and knows only the base of the seeds.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, deserialize

from tests.fuzz.document import NUMPY, Tensor, decode
from tests.fuzz.reference.formulas import change_of
from tests.fuzz.seeds import PROFILE, Target, kohya_stem

Array = NDArray[Any]

_FLOATS = ("F16", "BF16", "F32", "F64")
_SUFFIXES = {
    "lora_down.weight": "down",
    "lora_up.weight": "up",
    "lora_mid.weight": "mid",
    "lora_A.weight": "down",
    "lora_B.weight": "up",
    "lora_A.default.weight": "down",
    "lora_B.default.weight": "up",
    "lora.down.weight": "down",
    "lora.up.weight": "up",
    "lora_linear_layer.down.weight": "down",
    "lora_linear_layer.up.weight": "up",
    "lora_magnitude_vector": "magnitude",
    "lora_magnitude_vector.weight": "magnitude",
    "dora_scale": "magnitude",
    "alpha": "alpha",
    "lora.alpha": "alpha",
}
_HALVES = tuple(f"hada_{name}" for name in ("w1_a", "w1_b", "w2_a", "w2_b", "t1", "t2"))
_KRONS = tuple(f"lokr_{name}" for name in ("w1", "w1_a", "w1_b", "w2", "w2_a", "w2_b", "t2"))
_SCALE_MAX = 1024.0


class Unsound(Exception):
    """The bytes are no adapter for this base; the text says why."""


@dataclass(slots=True, kw_only=True)
class Meaning:
    """What a file changes.

    Attributes:
        changes: Target to the change of its weight, scale applied, in the weight's shape.
        magnitudes: Target to the lengths of a DoRA.
        vectors: Token to its vectors.
        tensor_count: Tensors in the file.
    """

    changes: dict[Target, Array] = field(default_factory=dict)
    magnitudes: dict[Target, Array] = field(default_factory=dict)
    vectors: dict[str, Array] = field(default_factory=dict)
    tensor_count: int = 0


def read(content: bytes, *, config: bytes | None, trigger_words: tuple[str, ...]) -> Meaning:
    """Read a file.

    Raises:
        Unsound: It means nothing, or not completely.
    """
    tensors = _tensors(content)
    numbers = {key: _numbers(key, tensor) for key, tensor in tensors.items()}
    if len(numbers) == 1 and (found := _inversion(numbers, words=trigger_words)) is not None:
        return found
    groups: dict[Target, dict[str, Array]] = {}
    for key, found_numbers in numbers.items():
        target, part = _place(key)
        if part in groups.setdefault(target, {}):
            raise Unsound(f"{target} has two {part}")
        groups[target][part] = found_numbers
    meaning = Meaning(tensor_count=len(tensors))
    alphas = _Alphas(numbers, header=_header(content), config=config)
    for target, parts in groups.items():
        _read_layer(meaning, target, parts, alphas=alphas)
    if not meaning.changes:
        raise Unsound("it changes nothing")
    return meaning


def open_plain(content: bytes) -> dict[str, Tensor]:
    """Return the tensors as the safetensors package sees them.

    Raises:
        Unsound: It refuses the file.
    """
    try:
        found = deserialize(content)
    except SafetensorError as error:
        raise Unsound(f"safetensors: {error}") from error
    return {
        key: Tensor(dtype=row["dtype"], shape=tuple(row["shape"]), data=bytes(row["data"]))
        for key, row in found
    }


def _tensors(content: bytes) -> dict[str, Tensor]:
    found = open_plain(content)
    if not found:
        raise Unsound("it has no tensors")
    return found


def _header(content: bytes) -> dict[str, str]:
    length = int.from_bytes(content[:8], "little")
    found: dict[str, str] = json.loads(content[8 : 8 + length]).get("__metadata__") or {}
    return found


def _numbers(key: str, tensor: Tensor) -> Array:
    is_count = tensor.dtype in ("I32", "I64") and key.endswith("alpha")
    if tensor.dtype not in _FLOATS and not is_count:
        raise Unsound(f"{key} is {tensor.dtype}")
    assert tensor.dtype == "BF16" or tensor.dtype in NUMPY
    with np.errstate(all="ignore"):
        found = decode(tensor).astype(np.float64)
        if not np.isfinite(found.astype(np.float32)).all():
            raise Unsound(f"{key} is not finite")
    return found


def _inversion(numbers: dict[str, Array], *, words: tuple[str, ...]) -> Meaning | None:
    (key, found), *_ = numbers.items()
    if found.ndim not in (1, 2) or found.shape[-1] != PROFILE.token_widths["text_encoder"]:
        return None
    token = words[0] if words else key
    return Meaning(vectors={token: found.reshape(-1, found.shape[-1])}, tensor_count=1)


def _place(key: str) -> tuple[Target, str]:
    for suffix, part in {**_SUFFIXES, **{name: name for name in (*_HALVES, *_KRONS)}}.items():
        if key.endswith(f".{suffix}"):
            target = _TARGETS.get(key.removesuffix(f".{suffix}"))
            if target is not None:
                return target, part
    found = re.fullmatch(
        r"(?:unet\.)?(.+)\.processor\.(to_[qkvou]+t?)_lora\.(down|up)\.weight", key
    )
    if found:
        module = f"{found[1]}.{found[2]}" + (".0" if found[2] == "to_out" else "")
        if module in PROFILE.modules["unet"]:
            return ("unet", module), found[3]
    raise Unsound(f"nobody knows {key!r}")


def _targets() -> dict[str, Target]:
    found: dict[str, Target] = {}
    for component, modules in PROFILE.modules.items():
        for module in modules:
            target = (component, module)
            bare = module.removeprefix("text_model.")
            for name in (module, bare):
                found |= {f"{component}.{name}": target, f"base_model.model.{name}": target}
            stem = kohya_stem(target)
            for level in ("text_model_", ""):
                for prefix in ("lora_te_", "lora_te1_"):
                    found[stem.replace("lora_te_text_model_", prefix + level)] = target
            for name in (module, bare, f"{component}.{module}", f"{component}.{bare}"):
                found["lycoris_" + name.replace(".", "_")] = target
            if component == "unet":
                found[module] = target
    return found


_TARGETS = _targets()


@dataclass(slots=True)
class _Alphas:
    """What is said of alphas outside the layers."""

    numbers: dict[str, Array]
    header: dict[str, str]
    config: bytes | None

    def scale(self, target: Target, parts: dict[str, Array], *, rank: int | None) -> float:
        """Return what a change is multiplied with."""
        if rank is None:
            return 1.0
        if "alpha" in parts:
            alpha = float(parts["alpha"].reshape(-1)[0])
            # kohya takes a zero for no alpha at all.
            is_kohya = all(key.startswith(("lora_", "lycoris_")) for key in self.numbers)
            return 1.0 if is_kohya and alpha == 0 else alpha / rank
        config = self._config(target[0])
        if config is None:
            return 1.0
        name = "lora_alpha" if config.get("peft_type", "LORA") == "LORA" else "alpha"
        said = _matching(config.get("alpha_pattern") or {}, target[1], config.get(name))
        if isinstance(said, bool) or not isinstance(said, int | float):
            raise Unsound(f"alpha {said!r}")
        return float(said) / (math.sqrt(rank) if config.get("use_rslora") else rank)

    def _config(self, component: str) -> dict[str, Any] | None:
        if any(key.startswith("base_model.model.") for key in self.numbers):
            if self.config is None:
                raise Unsound("nothing says the alpha")
            found: dict[str, Any] = json.loads(self.config)
            return found
        if "lora_adapter_metadata" not in self.header or any(
            key.startswith("lora_") for key in self.numbers
        ):
            return None
        try:
            said = json.loads(self.header["lora_adapter_metadata"])
        except (ValueError, RecursionError):
            return None
        if not isinstance(said, dict):
            return None
        prefix = f"{component}."
        own = {k.removeprefix(prefix): v for k, v in said.items() if k.startswith(prefix)}
        return own if "lora_alpha" in own else None


def _matching(patterns: dict[str, Any], module: str, default: Any) -> Any:
    """Look an exception up as peft does, by regular expressions."""
    try:
        for pattern, value in patterns.items():
            if re.match(rf"(.*\.)?({pattern})$", module):
                return value
    except (re.error, AttributeError) as error:
        raise Unsound(f"patterns {patterns!r}") from error
    return default


def _read_layer(
    meaning: Meaning, target: Target, parts: dict[str, Array], *, alphas: _Alphas
) -> None:
    shape = PROFILE.modules[target[0]][target[1]]
    try:
        change, rank = change_of(parts, shape=(shape.outputs, shape.inputs, *shape.kernel))
    except (ValueError, KeyError) as error:
        raise Unsound(f"{target}: {error!r}") from error
    if "alpha" in parts and parts["alpha"].size != 1:
        raise Unsound(f"{target} has several alphas")
    scale = alphas.scale(target, parts, rank=rank)
    if not math.isfinite(scale) or not 0 < abs(scale) <= _SCALE_MAX:
        raise Unsound(f"{target} has the scale {scale}")
    meaning.changes[target] = scale * change
    if "magnitude" in parts:
        found = parts["magnitude"]
        if found.size not in (shape.outputs, shape.inputs) or found.size != max(found.shape):
            raise Unsound(f"{target} has a magnitude of {found.shape}")
        meaning.magnitudes[target] = found.reshape(-1)
