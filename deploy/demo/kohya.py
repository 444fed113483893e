# SPDX-License-Identifier: Apache-2.0
"""Write a LoRA the way kohya's sd-scripts does: flat names, an alpha per module, ss_ metadata.

Trained peft weights go in, a `.safetensors` file comes out. Knows nothing of training.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file

# Transformers 5 dropped the `text_model.` level from CLIPTextModel; the files keep it.
TEXT_PREFIX = "text_model."


def save_kohya(
    path: Path,
    *,
    unet: dict[str, torch.Tensor],
    text_encoder: dict[str, torch.Tensor],
    alpha: float,
    metadata: dict[str, str],
) -> None:
    """Write both peft state dicts (`….lora_A.weight`, `….lora_B.weight`) in kohya's layout."""
    tensors = _rename(unet, prefix="lora_unet", alpha=alpha)
    full_names = {_with_text_prefix(name): value for name, value in text_encoder.items()}
    tensors |= _rename(full_names, prefix="lora_te", alpha=alpha)
    save_file(tensors, path, metadata=metadata)


def describe_training(
    *,
    name: str,
    rank: int,
    alpha: float,
    tags: dict[str, int],
    folder: str,
    facts: Mapping[str, object],
) -> dict[str, str]:
    """Make the `ss_*` header that sd-scripts would write, as far as it is true here."""
    header: dict[str, object] = {
        "ss_output_name": name,
        "ss_network_module": "networks.lora",
        "ss_network_dim": rank,
        "ss_network_alpha": alpha,
        "ss_base_model_version": "sd_v1",
        "ss_tag_frequency": json.dumps({folder: tags}),
        "ss_resolution": "(64, 64)",
        "ss_mixed_precision": "no",
        "ss_v2": False,
        **{f"ss_{key}": value for key, value in facts.items()},
    }
    return {key: str(value) for key, value in header.items()}


def _with_text_prefix(name: str) -> str:
    return name if name.startswith(TEXT_PREFIX) else TEXT_PREFIX + name


def _rename(
    state: dict[str, torch.Tensor], *, prefix: str, alpha: float
) -> dict[str, torch.Tensor]:
    renamed: dict[str, torch.Tensor] = {}
    for name, value in state.items():
        module, _, side = name.removesuffix(".weight").rpartition(".lora_")
        flat = f"{prefix}_{module.replace('.', '_')}"
        direction = {"A": "lora_down", "B": "lora_up"}[side]
        renamed[f"{flat}.{direction}.weight"] = value.detach().half().contiguous()
        renamed[f"{flat}.alpha"] = torch.tensor(alpha, dtype=torch.float16)
    return renamed
