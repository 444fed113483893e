# SPDX-License-Identifier: Apache-2.0
"""The words for where the engine computes, and in which numbers. Imports next to nothing."""

import re
from difflib import get_close_matches
from typing import Literal, get_args

Dtype = Literal["auto", "float16", "bfloat16", "float32", "float64"]
"""What the base is computed in. `auto`: float16 on CUDA, float32 on a CPU."""
DTYPES: tuple[Dtype, ...] = get_args(Dtype)
"""All of them."""

DEVICE = re.compile(r"auto|cpu|cuda(:(0|[1-9][0-9]{0,3}))?")
"""What can name a device, whether or not it is here."""
DEVICES = "auto, cpu, cuda or cuda:1, …"
"""The same in words."""

_ALSO_CALLED = {"gpu": "cuda", "nvidia": "cuda", "host": "cpu"}
_KINDS = ("auto", "cpu", "cuda")


def nearest_device(word: str) -> str | None:
    """Return the device that a wrong word was probably meant for; None: it is like none."""
    kind, _colon, number = word.strip().lower().partition(":")
    kind = _ALSO_CALLED.get(kind, kind)
    near = get_close_matches(kind, _KINDS, n=1)
    if not near:
        return None
    return f"cuda:{int(number)}" if near[0] == "cuda" and number.isdecimal() else near[0]
