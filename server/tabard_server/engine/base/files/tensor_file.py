# SPDX-License-Identifier: Apache-2.0
"""One safetensors file of a whole model, mapped into memory, or a refusal in our own words.

Knows no layout: keys and tensors are given as they stand. Nothing is read before it is looked at.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from tabard_registry.intake.files.sniff import SNIFF_BYTES, describe_stranger
from tabard_registry.regular_file import open_regular
from tabard_server.engine_port.errors import BaseNotLoadable

Tensors = Mapping[str, torch.Tensor]
HEADER_BYTES_MAX = 32 << 20
"""Longest header of a file; SDXL's is a third of a megabyte."""
TENSORS_MAX = 50_000
"""Most tensors of one file; SDXL has 2,500."""
_LENGTH_BYTES = 8
_AGAIN = "copy or download it again, and compare its size with the source's"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TensorFile:
    """What one file holds.

    Attributes:
        tensors: Its tensors by key.
        metadata: The free texts of its header.
    """

    tensors: Tensors
    metadata: Mapping[str, str] = field(default_factory=dict)


def open_tensor_file(path: Path) -> TensorFile:
    """Map a safetensors file into memory.

    Raises:
        BaseNotLoadable: It is anything else, or not whole.
    """
    try:
        with open_regular(path) as file:
            start = file.read(SNIFF_BYTES)
    except OSError as error:
        raise unreadable(path, error) from error
    if not start:
        raise BaseNotLoadable(f"{path} is empty", hint=_AGAIN)
    if (stranger := describe_stranger(start)) is not None:
        raise BaseNotLoadable(f"{path} is {stranger[0]}", hint=_remedy_for(start))
    header_bytes = int.from_bytes(start[:_LENGTH_BYTES], "little")
    if header_bytes > HEADER_BYTES_MAX:
        raise BaseNotLoadable(
            f"{path} says that its header has {header_bytes} bytes, and at most "
            f"{HEADER_BYTES_MAX} are read",
            hint=_AGAIN,
        )
    try:
        with safe_open(str(path), framework="pt") as opened:
            if (count := len(opened.keys())) > TENSORS_MAX:
                raise BaseNotLoadable(
                    f"{path} holds {count} tensors, and at most {TENSORS_MAX} are read",
                    hint="give the checkpoint of a model of a family that is served",
                )
            tensors = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118 - no mapping
            return TensorFile(tensors=tensors, metadata=dict(opened.metadata() or {}))
    # What a header may say wrong is many things to the library, and none of them its caller's.
    except (SafetensorError, OSError, ValueError, KeyError, AttributeError, RuntimeError) as error:
        raise BaseNotLoadable(f"{path} is not a whole safetensors file", hint=_AGAIN) from error


def unreadable(path: Path, error: OSError) -> BaseNotLoadable:
    """Return the refusal of a path that the system does not open."""
    return BaseNotLoadable(
        f"{path} cannot be read: {error.strerror or type(error).__name__}",
        hint="check that it is there, what its links lead to, and who may read it",
    )


def _remedy_for(start: bytes) -> str:
    if start.startswith(b"GGUF"):
        return "GGUF files are quantised; give the checkpoint that it was made from"
    if start.startswith(b"version https://git-lfs"):
        return "run `git lfs pull`: the file itself was not fetched"
    if start.startswith((b"PK\x03\x04", b"\x80")):
        return "convert the checkpoint to safetensors; pickled weights are not read"
    return _AGAIN
