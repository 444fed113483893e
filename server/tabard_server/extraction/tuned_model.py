# SPDX-License-Identifier: Apache-2.0
"""A tuned model as it lies on disk: its tensors by component, read when they are looked at."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tabard_server.engine.base.files.tensor_file import Tensors


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TunedModel:
    """A fine-tuned whole model, not loaded.

    Attributes:
        path: The folder or the file.
        sha256: `sha256:…` of the file, or of the names and digests of a folder's weight files.
        components: Component to tensors, text encoders without `text_model.`.
        unused: Keys that belong to no component of the base, such as a trainer's averages.
        predictions: Everything that it says of what its UNet predicts, such as `epsilon`.
        is_eight_bit: Whether its weights were kept in eight bits.
    """

    path: Path
    sha256: str
    components: Mapping[str, Tensors]
    unused: tuple[str, ...] = ()
    predictions: tuple[str, ...] = ()
    is_eight_bit: bool = False
