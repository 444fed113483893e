# SPDX-License-Identifier: Apache-2.0
"""The words for where the engine computes, and in which numbers. Imports next to nothing."""

import ctypes
import re
from collections.abc import Callable
from difflib import get_close_matches
from importlib import metadata
from typing import Literal, get_args

from tabard_server.engine_port.errors import BaseNotLoadable

Dtype = Literal["auto", "float16", "bfloat16", "float32", "float64"]
"""What the base is computed in. `auto`: float32 on a CPU; on CUDA float16, or bfloat16 for SD3 and
Flux."""
DTYPES: tuple[Dtype, ...] = get_args(Dtype)
"""All of them."""
StorageDtype = Literal["float8_e4m3fn", "float8_e5m2"]
"""What most weights of a network can be kept in, instead of what it is computed in."""
STORAGE_DTYPES: tuple[StorageDtype, ...] = get_args(StorageDtype)
"""All of them."""

DEVICE = re.compile(r"auto|cpu|cuda(:(0|[1-9][0-9]{0,3}))?")
"""What can name a device, whether or not it is here."""
DEVICES = "auto, cpu, cuda or cuda:1, …"
"""The same in words."""

_CUDA_DRIVER = "libcuda.so.1"
_CPU_BUILD = "+cpu"
_ALSO_CALLED = {"gpu": "cuda", "nvidia": "cuda", "host": "cpu"}
_KINDS = ("auto", "cpu", "cuda")


def count_cuda_devices() -> int:
    """Ask the driver how many CUDA devices this process may use; no driver has none."""
    try:
        driver = ctypes.CDLL(_CUDA_DRIVER)
    except OSError:
        return 0
    count = ctypes.c_int(0)
    failed = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    return 0 if failed else count.value


def require_device(
    name: str,
    *,
    count: Callable[[], int] = count_cuda_devices,
    version_of: Callable[[str], str] = metadata.version,
) -> None:
    """See that a device is here, without importing torch: that takes seconds.

    Raises:
        BaseNotLoadable: It is not, or the torch that is installed cannot use it.
    """
    kind, _colon, number = name.partition(":")
    if kind != "cuda":
        return
    if version_of("torch").endswith(_CPU_BUILD):
        raise BaseNotLoadable(
            f"{name} is asked for, and the torch that is installed is a build for CPUs",
            hint="use the device cpu, or install PyPI's torch, which is the CUDA build",
        )
    here = count()
    if here <= int(number or 0):
        found = f"the last one here is cuda:{here - 1}" if here else "no CUDA device is here"
        raise BaseNotLoadable(
            f"{name} is asked for, and {found}", hint="use the device auto, or cpu"
        )


def nearest_device(word: str) -> str | None:
    """Return the device that a wrong word was probably meant for; None: it is like none."""
    kind, _colon, number = word.strip().lower().partition(":")
    kind = _ALSO_CALLED.get(kind, kind)
    near = get_close_matches(kind, _KINDS, n=1)
    if not near:
        return None
    return f"cuda:{int(number)}" if near[0] == "cuda" and number.isdecimal() else near[0]
