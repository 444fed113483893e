# SPDX-License-Identifier: Apache-2.0
"""A tuned model as it lies on disk: its tensors by component, read when they are looked at."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from tabard_server.extraction.errors import TunedModelUnreadable

Tensors = Mapping[str, torch.Tensor]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TunedModel:
    """A fine-tuned whole model, not loaded.

    Attributes:
        path: The folder or the file.
        sha256: `sha256:…` of the file, or of the names and digests of a folder's weight files.
        components: Component to tensors, text encoders without `text_model.`.
        unused: Keys that belong to no component of the base, such as a trainer's averages.
        prediction: What its UNet predicts, such as `epsilon`; empty where nothing says it.
    """

    path: Path
    sha256: str
    components: Mapping[str, Tensors]
    unused: tuple[str, ...] = ()
    prediction: str = ""


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Map a safetensors file into memory; nothing is read before it is looked at.

    Raises:
        TunedModelUnreadable: It is anything else.
    """
    try:
        found: dict[str, torch.Tensor] = load_file(str(path))
    except (SafetensorError, OSError) as error:
        raise TunedModelUnreadable(
            f"{path} is not a whole safetensors file: {error}",
            hint="convert the checkpoint to safetensors; pickled checkpoints are not read",
        ) from error
    return found
