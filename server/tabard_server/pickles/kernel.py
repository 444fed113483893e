# SPDX-License-Identifier: Apache-2.0
"""Calls of libc and of the kernel that must succeed: one that fails says its name and why.

In: the name of a function and numbers. Out: what it returned, or `SealUnavailable`.
"""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager


class SealUnavailable(Exception):
    """The seal cannot be had here, so nothing hostile may be read.

    Attributes:
        call: What was called, or is missing.
        why: What came of it.
        remedy: What would make it possible; empty where nothing is known.
    """

    def __init__(self, call: str, why: str, *, remedy: str = "") -> None:
        super().__init__(f"{call}: {why}")
        self.call = call
        self.why = why
        self.remedy = remedy


def call(function: str, *arguments: object) -> int:
    """Call a function of libc by name, and return what it returned, which is not -1.

    Args:
        function: Its name.
        arguments: Values of ctypes, so that each has the size that it must have.

    Raises:
        OSError: It failed.
    """
    found = getattr(ctypes.CDLL(None, use_errno=True), function)
    found.restype = ctypes.c_long if function == "syscall" else ctypes.c_int
    result = found(*arguments)
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), function)
    return int(result)


@contextmanager
def required(step: str, *, remedy: str = "") -> Iterator[None]:
    """Turn what the system refuses inside the block into `SealUnavailable`."""
    try:
        yield
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise SealUnavailable(step, why, remedy=remedy) from error
