# SPDX-License-Identifier: Apache-2.0
"""What the registry needs to know of a base: its layers, widths and fingerprints.

In: a loaded base in float32. Out: a `BaseProfile`, plain data without tensors, and the layers
behind its names. Module names follow the classic checkpoints: text encoder layers carry
`text_model.`, whatever the installed transformers calls them.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from diffusers.models.normalization import RMSNorm
from numpy.typing import NDArray
from torch import nn

from tabard_registry import BaseProfile, ModuleShape
from tabard_server.engine.base.files.scales import FLOAT8
from tabard_server.engine.base.loading import Base, load_base
from tabard_server.engine.base.names import TEXT_PREFIX, classic_name
from tabard_server.engine.base.schedules.schedule import Asked
from tabard_server.engine.base.text_layout import T5

_PIECE_BYTES = 8 << 20
_WITH_VECTORS = (nn.Linear, nn.Conv2d, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm, RMSNorm)


def profile_of(base: str, *, config: str | None = None, asked: Asked | None = None) -> BaseProfile:
    """Load a base and return its profile; for checks without a server.

    Raises:
        BaseNotLoadable: The base cannot be loaded.
    """
    return read_profile(load_base(base, config=config, asked=asked))


def read_profile(base: Base) -> BaseProfile:
    """Return the profile of a base whose weights are still float32 on the CPU."""
    return BaseProfile(
        family=base.family,
        fingerprints={name: _fingerprint(model) for name, model in sorted(base.models.items())},
        modules={
            component: {name: _shape(module) for name, module in named_layers(base, component)}
            for component in base.adaptable
        },
        token_widths={
            part.component: int(part.model.config.hidden_size)
            for part in base.text_parts
            # A T5 knows no taught words.
            if part.model.config.model_type != T5
        },
        names=_names(base.source),
        vectors={component: dict(_vectors(base, component)) for component in base.adaptable},
        prediction=base.prediction,
        is_zero_snr=base.is_zero_snr,
        native_pixels=base.native_pixels,
    )


def named_layers(base: Base, component: str) -> Iterator[tuple[str, nn.Module]]:
    """Yield every linear and convolution of a component under its classic name."""
    for name, module in base.models[component].named_modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            yield classic_name(name, component), module


def fingerprint_of(
    tensors: Mapping[str, torch.Tensor], *, between: Callable[[], None] = lambda: None
) -> str:
    """Hash names, shapes and float32 bytes, so that the file's dtype and layout do not matter.

    Args:
        tensors: Those of one model, on any device.
        between: Called after each piece of the work; may wait, or raise to end it.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        if not tensor.is_floating_point():
            continue
        plain = name.removeprefix(TEXT_PREFIX)
        digest.update(f"{plain}:{list(tensor.shape)}\n".encode())
        content = _float32(tensor).reshape(-1).view(np.uint8)
        between()
        for at in range(0, content.size, _PIECE_BYTES):
            digest.update(content[at : at + _PIECE_BYTES].data)
            between()
    return f"sha256:{digest.hexdigest()}"


def _fingerprint(model: nn.Module) -> str:
    return fingerprint_of(model.state_dict())


def _float32(tensor: torch.Tensor) -> NDArray[np.float32]:
    """Return the values in host memory, in the order of the shape; in this thread alone."""
    there = tensor.detach().cpu()
    # numpy has none of these, and torch would wake its threads for the others.
    known = there.float() if there.dtype in (torch.bfloat16, *FLOAT8) else there
    return np.ascontiguousarray(known.numpy(), dtype=np.float32)


def _vectors(base: Base, component: str) -> Iterator[tuple[str, int]]:
    """Yield the one-dimensional parameters: of norms all, of layers the biases."""
    for name, module in base.models[component].named_modules():
        if isinstance(module, _WITH_VECTORS):
            for own, parameter in module.named_parameters(recurse=False):
                if parameter.ndim == 1:
                    yield f"{classic_name(name, component)}.{own}", parameter.numel()


def _names(source: str) -> tuple[str, ...]:
    """Return the name of a hub id or a single file; a folder may be called anything."""
    is_file = source.endswith((".safetensors", ".ckpt"))
    is_hub_id = source.count("/") == 1 and not source.startswith((".", "/", "~"))
    if is_file:
        return (Path(source).name,)
    return (source,) if is_hub_id and not Path(source).exists() else ()


def _shape(module: nn.Module) -> ModuleShape:
    if isinstance(module, nn.Conv2d):
        kernel = (int(module.kernel_size[0]), int(module.kernel_size[1]))
        return ModuleShape(
            kind="conv2d", inputs=module.in_channels, outputs=module.out_channels, kernel=kernel
        )
    assert isinstance(module, nn.Linear)
    return ModuleShape(kind="linear", inputs=module.in_features, outputs=module.out_features)
