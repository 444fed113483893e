# SPDX-License-Identifier: Apache-2.0
"""A release as kohya's trainers and LyCORIS write it: `lora_unet_…` names, alpha as a tensor."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from tabard_registry.content.canonical import Canonical, Change, Layer
from tabard_registry.export.embedding import bundle
from tabard_registry.export.tensors import (
    Array,
    CannotHold,
    Tensors,
    alpha_tensor,
    factors,
    is_convolution,
    pointed,
)
from tabard_registry.intake.dialects.module_names import T5_PREFIX
from tabard_registry.intake.methods.oft import ONETRAINER_TERMS
from tabard_registry.release import change_methods as methods
from tabard_registry.release.change_methods import MAGNITUDE, MAGNITUDE_AXIS
from tabard_registry.release.manifest import Manifest

_MORE_ENCODERS = ("sdxl", "sd3", "flux")


def write(canonical: Canonical, manifest: Manifest) -> tuple[Tensors, dict[str, str]]:
    """Write layers and changes, and the words that belong to them.

    Raises:
        CannotHold: A change has no key in this layout.
    """
    family = manifest.base_family
    tensors = bundle(canonical, manifest)
    for layer in canonical.layers:
        _put(tensors, _stem(layer.component, layer.module, family=family), _pair(layer, family))
    for change in canonical.changes:
        module, _, parameter = change.parameter.rpartition(".")
        stem = _stem(change.component, module, family=family)
        _put(tensors, stem, _change(change, parameter=parameter, family=family))
    return tensors, {
        "ss_network_module": "networks.lora",
        "ss_base_model_version": family_word(family),
    }


def _put(tensors: Tensors, stem: str, parts: Mapping[str, Array]) -> None:
    for part, found in parts.items():
        key = f"{stem}.{part}"
        if key in tensors:
            raise CannotHold(f"two of its changes would both be called {key}")
        tensors[key] = np.ascontiguousarray(found) if found.ndim else found


def _stem(component: str, module: str, *, family: str) -> str:
    # A transformer's layers lie apart under diffusers' names, behind OneTrainer's prefix.
    prefix = {"unet": "lora_unet_", "transformer": "lora_transformer_"}.get(component)
    if prefix is None:
        number = 3 if module.startswith(T5_PREFIX) else 2 if component == "text_encoder_2" else 1
        prefix = f"lora_te{number}_" if family in _MORE_ENCODERS else "lora_te_"
    return prefix + module.replace(".", "_")


def family_word(family: str) -> str:
    """Return what trainers write into `ss_base_model_version` for a family."""
    return {"sd1": "sd_v1", "sd2": "sd_v2", "sdxl": "sdxl_base_v1-0", "flux": "flux1"}.get(
        family, family
    )


def _pair(layer: Layer, family: str) -> Mapping[str, Array]:
    down, up = factors(layer, family=family)
    parts = {
        "lora_down.weight": down,
        "lora_up.weight": up,
        "alpha": alpha_tensor(layer.scale, rank=layer.rank),
    }
    if layer.magnitude is not None:
        shape = (1, -1) if layer.magnitude_axis == "inputs" else (-1, 1)
        found = layer.magnitude.reshape(shape)
        parts["dora_scale"] = pointed(found) if up.ndim > 2 else found
    return parts


def _change(change: Change, *, parameter: str, family: str) -> Mapping[str, Array]:
    write = _CHANGES.get(change.method)
    if write is None:
        raise CannotHold(f"{change.parameter} is changed by {change.method}")
    return write(change, parameter, family)


def _dense(change: Change, parameter: str, _family: str) -> Mapping[str, Array]:
    if change.scale != 1.0 or MAGNITUDE in change.parts:
        raise CannotHold(f"the difference of {change.parameter} has a scale or a magnitude")
    module = change.parameter.rpartition(".")[0]
    is_norm = change.parts["diff"].ndim == 1 and parameter == "weight"
    if "norm" in module.rpartition(".")[2] or is_norm:
        return {"w_norm" if parameter == "weight" else "b_norm": change.parts["diff"]}
    return {"diff" if parameter == "weight" else "diff_b": change.parts["diff"]}


def _low_rank(change: Change, _parameter: str, _family: str) -> Mapping[str, Array]:
    rank = change.parts["down"].shape[0]
    names = {"down": "lora_down.weight", "up": "lora_up.weight", "mid": "lora_mid.weight"}
    parts = {names[k]: v for k, v in change.parts.items() if k in names}
    return {**parts, "alpha": alpha_tensor(change.scale, rank=rank), **_magnitude(change)}


def _hadamard(change: Change, _parameter: str, _family: str) -> Mapping[str, Array]:
    alpha = alpha_tensor(change.scale, rank=change.parts["w1_b"].shape[0])
    return {**_prefixed(change, methods.HADAMARD), "alpha": alpha, **_magnitude(change)}


def _kronecker(change: Change, _parameter: str, _family: str) -> Mapping[str, Array]:
    ranked = [change.parts[name] for name in ("w1_b", "w2_b") if name in change.parts]
    if not ranked and change.scale != 1.0:
        raise CannotHold(f"{change.parameter} has whole factors and a scale, which ignore alpha")
    parts = _prefixed(change, methods.KRONECKER)
    if ranked:
        parts["alpha"] = alpha_tensor(change.scale, rank=ranked[-1].shape[0])
    return {**parts, **_magnitude(change)}


def _prefixed(change: Change, method: methods.ChangeMethod) -> dict[str, Array]:
    own = {name: part for name, part in change.parts.items() if name != MAGNITUDE}
    return {f"{method.prefix}{name}": part for name, part in own.items()}


def _rotation(change: Change, _parameter: str, family: str) -> Mapping[str, Array]:
    if change.options.get("on_input"):
        return _rotation_of_inputs(change, family=family)
    limit = float(change.options.get("constraint", 0.0))
    parts = {"oft_blocks": change.parts["blocks"], "alpha": np.asarray(limit, dtype=np.float64)}
    if "rescale" in change.parts:
        parts["rescale"] = change.parts["rescale"]
    return parts


def _rotation_of_inputs(change: Change, *, family: str) -> Mapping[str, Array]:
    """Write OneTrainer's numbers, those above the diagonals; a convolution's are its opposites."""
    blocks = change.parts["blocks"]
    lower = np.tril_indices(blocks.shape[-1])
    is_series = change.options.get("terms") == ONETRAINER_TERMS
    if change.method != methods.OFT.name or not is_series or blocks[:, lower[0], lower[1]].any():
        raise CannotHold(f"the inputs of {change.parameter} are turned as only PEFT turns them")
    rows, columns = np.triu_indices(blocks.shape[-1], k=1)
    vectors = blocks[:, rows, columns]
    module = change.parameter.rpartition(".")[0]
    return {"oft_R.weight": -vectors if is_convolution(module, family=family) else vectors}


def _scaling(change: Change, parameter: str, _family: str) -> Mapping[str, Array]:
    if parameter != "weight":
        raise CannotHold(f"{change.parameter} is scaled, which these files do of weights only")
    on_input = np.asarray(bool(change.options["on_input"]), dtype=np.int64)
    return {"weight": change.parts["weight"], "on_input": on_input}


def _magnitude(change: Change) -> Mapping[str, Array]:
    found = change.parts.get(MAGNITUDE)
    if found is None:
        return {}
    is_inputs = change.options.get(MAGNITUDE_AXIS) == "inputs"
    flat = found.reshape((1, -1) if is_inputs else (-1, 1))
    module = change.parameter.rpartition(".")[0]
    return {"dora_scale": pointed(flat) if is_convolution(module, family="") else flat}


_CHANGES: Mapping[str, Callable[[Change, str, str], Mapping[str, Array]]] = {
    methods.DENSE.name: _dense,
    methods.LORA.name: _low_rank,
    methods.HADAMARD.name: _hadamard,
    methods.KRONECKER.name: _kronecker,
    methods.OFT.name: _rotation,
    methods.BOFT.name: _rotation,
    methods.IA3.name: _scaling,
}
"""Methods that become keys again; GLoRA, whose factors have no one order, is refused by name."""
