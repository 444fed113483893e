# SPDX-License-Identifier: Apache-2.0
"""What an unpickled document holds, as named tensors: an embedding of any trainer, or a LoRA.

In: what `torch.load(weights_only=True)` made, which is data and nothing else. Out: tensors by key
and a few words about them. Runs in the sandbox only.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import torch

from tabard_registry.grammar import with_article

TOKEN_KEY = "token"
"""Under which the header keeps the word that a file gives itself."""

_DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int32, torch.int64)
_TENSORS_MAX = 20_000
_TEXT_CHARS_MAX = 200
_NAMELESS = "emb_params"
_WORDS = ("name", "step", "sd_checkpoint", "sd_checkpoint_name")


class Unknown(Exception):
    """The document is none that is known; the text says what it is."""


class TooLarge(Exception):
    """The document holds too much; the text says how much."""


class ParameterDict:
    """Takes the place of torch's class of that name in old embeddings; only keeps its state."""

    def __init__(self) -> None:
        self.state: Mapping[str, Any] = {}

    def __setstate__(self, state: object) -> None:
        self.state = state if isinstance(state, dict) else {}

    def tensors(self) -> object:
        """Return what it held by name."""
        return self.state.get("_parameters")


def named_tensors(
    document: object, *, bytes_max: int
) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Return the tensors of a document, each whole and on its own, and what it says of itself.

    Raises:
        Unknown: It is something else.
        TooLarge: It holds more than `bytes_max`.
    """
    if not isinstance(document, dict):
        raise Unknown(f"it holds {with_article(type(document).__name__[:40])} and no table")
    words = dict(_words(document))
    if "string_to_param" in document:
        found = _embedding(document, words=words)
    else:
        found = {key: value for key, value in document.items() if not _is_word(key, value)}
    if not found:
        raise Unknown("it holds no tensors")
    if len(found) > _TENSORS_MAX:
        raise TooLarge(f"it holds {len(found)} tensors")
    for key, value in found.items():
        _check(key, value)
    size_bytes = sum(value.numel() * value.element_size() for value in found.values())
    if size_bytes > bytes_max:
        raise TooLarge(f"its tensors have {size_bytes} bytes; at most {bytes_max} are taken")
    return {key: value.detach().clone().contiguous() for key, value in found.items()}, words


def _embedding(document: Mapping[Any, Any], *, words: dict[str, str]) -> dict[str, torch.Tensor]:
    """Read AUTOMATIC1111's and the first authors' layout, under the word that it gives itself."""
    params = document["string_to_param"]
    params = params.tensors() if isinstance(params, ParameterDict) else params
    if not isinstance(params, dict) or len(params) != 1:
        count = len(params) if isinstance(params, dict) else "no table of"
        raise Unknown(f"its string_to_param has {count} tensors, not one")
    key, tensor = next(iter(params.items()))
    name = document.get("name")
    token = name if isinstance(name, str) and name.strip() else key
    if isinstance(token, str) and token.strip() not in ("", "*"):
        words[TOKEN_KEY] = token.strip()[:_TEXT_CHARS_MAX]
    return {_NAMELESS: tensor}


def _words(document: Mapping[Any, Any]) -> Iterator[tuple[str, str]]:
    for key in _WORDS:
        value = document.get(key)
        if isinstance(value, str | int | float):
            yield key, str(value)[:_TEXT_CHARS_MAX]


def _is_word(key: object, value: object) -> bool:
    return key in _WORDS and not isinstance(value, torch.Tensor)


def _check(key: object, value: object) -> None:
    if not isinstance(key, str) or not key:
        raise Unknown("a name in it is no text")
    if type(value) not in (torch.Tensor, torch.nn.Parameter):
        raise Unknown(f"{key[:80]!r} is {with_article(type(value).__name__[:40])} and no tensor")
    assert isinstance(value, torch.Tensor)
    is_plain = value.layout == torch.strided and value.device.type == "cpu"
    if not is_plain or value.dtype not in _DTYPES:
        raise Unknown(f"{key[:80]!r} is no plain tensor of numbers")
