# SPDX-License-Identifier: Apache-2.0
"""The filter: the few system calls that a sealed process may still make; any other kills it.

In: nothing. Out: a filter in the kernel, which libseccomp builds for this architecture. What is
missing here is told apart from what is refused.
"""

import ctypes
import os
import sys
from collections.abc import Mapping

from tabard_server.pickles.kernel import SealUnavailable

_KILL_PROCESS = 0x80000000
_ALLOW = 0x7FFF0000
_ARCHITECTURES = (0xC000003E, 0xC00000B7)
"""x86-64 and arm64, 64 bits, as the kernel's audit names them: the calls below are theirs."""

_ON_ANOTHER_ABI, _ON_EVERY_THREAD, _SAY_THE_KERNELS_ERROR = 2, 4, 9
"""Attributes of libseccomp."""

_EQUAL, _MASKED_EQUAL = 4, 7

Condition = tuple[int, int, int, int]
"""Number of an argument, operator, and the operator's one or two values."""


def _int(argument: int, value: int) -> Condition:
    """Say that an argument of 32 bits has a value; the kernel looks at no other bits."""
    return (argument, _MASKED_EQUAL, 0xFFFFFFFF, value)


_NOT_EXECUTABLE: Condition = (2, _MASKED_EQUAL, 0x4, 0)
_PRIVATE_MEMORY, _UNRESERVED_MEMORY = 0x22, 0x4022
_DONTNEED, _FREE, _HUGEPAGE = 4, 8, 14
_PRIVATE_WAITS = (128, 129, 128 | 9, 128 | 10, 128 | 256 | 9)
"""Waiting for and waking threads of this very process."""

ALLOWED: Mapping[str, tuple[tuple[Condition, ...], ...]] = {
    "read": ((_int(0, 0),),),
    "write": ((_int(0, 1),),),
    "mmap": tuple(
        (_NOT_EXECUTABLE, (3, _EQUAL, flags, 0)) for flags in (_PRIVATE_MEMORY, _UNRESERVED_MEMORY)
    ),
    "mprotect": ((_NOT_EXECUTABLE,),),
    "mremap": ((),),
    "munmap": ((),),
    "brk": ((),),
    "madvise": tuple((_int(2, advice),) for advice in (_DONTNEED, _FREE, _HUGEPAGE)),
    "futex": tuple((_int(1, operation),) for operation in _PRIVATE_WAITS),
    "clock_gettime": ((),),
    "getrandom": ((),),
    "restart_syscall": ((),),
    "rt_sigreturn": ((),),
    "exit": ((),),
    "exit_group": ((),),
}
"""Every call that reading needs, each with the sets of conditions of which one must hold: the file
on descriptor 0, the answer on 1, private memory that cannot be executed, the clock, an end."""

_LIBRARY = "libseccomp.so.2"
_CONVERT = "Convert it to safetensors on another machine, with a tool you trust."
_NO_LIBRARY = "Install libseccomp: on Debian and Ubuntu `apt-get install libseccomp2`."
_FORBIDDEN = (
    "Let this process use seccomp: Docker's default profile does, and a kernel has it when built "
    "with CONFIG_SECCOMP_FILTER, 4.14 or newer."
)


class _Comparison(ctypes.Structure):
    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("first", ctypes.c_uint64),
        ("second", ctypes.c_uint64),
    )


class SystemCallFilter:
    """The filter, built and not yet in force.

    Raises:
        SealUnavailable: This system, its architecture or its libraries cannot have it.
    """

    def __init__(self) -> None:
        self._library = _open_library()
        self._context = self._library.seccomp_init(_KILL_PROCESS)
        if not self._context:
            raise SealUnavailable("seccomp_init", "no filters here that kill", remedy=_FORBIDDEN)
        self._set(_ON_ANOTHER_ABI, _KILL_PROCESS)
        self._set(_ON_EVERY_THREAD, 1)
        self._set(_SAY_THE_KERNELS_ERROR, 1)
        for name, alternatives in ALLOWED.items():
            number = self._library.seccomp_syscall_resolve_name(name.encode())
            for conditions in alternatives:
                self._allow(name, number, conditions)

    def enforce(self) -> None:
        """Put it in force on every thread of this process; there is no way back.

        Raises:
            SealUnavailable: The kernel refuses it.
        """
        self._require("seccomp_load", self._library.seccomp_load(self._context), remedy=_FORBIDDEN)

    def _set(self, attribute: int, value: int) -> None:
        result = self._library.seccomp_attr_set(self._context, attribute, value)
        self._require("seccomp_attr_set", result, remedy=_FORBIDDEN)

    def _allow(self, name: str, number: int, conditions: tuple[Condition, ...]) -> None:
        comparisons = (_Comparison * len(conditions))(*(_Comparison(*one) for one in conditions))
        result = self._library.seccomp_rule_add_exact_array(
            self._context, _ALLOW, number, len(conditions), comparisons
        )
        self._require(f"seccomp_rule_add of {name}", result, remedy=_NO_LIBRARY)

    @staticmethod
    def _require(step: str, result: int, *, remedy: str) -> None:
        if result != 0:
            raise SealUnavailable(step, os.strerror(-result), remedy=remedy)


def _open_library() -> ctypes.CDLL:
    if sys.platform != "linux":
        raise SealUnavailable("seccomp", f"{sys.platform} does not have it", remedy=_CONVERT)
    try:
        library = ctypes.CDLL(_LIBRARY)
    except OSError as error:
        raise SealUnavailable(_LIBRARY, "it is not installed", remedy=_NO_LIBRARY) from error
    for name, result, arguments in (
        ("seccomp_init", ctypes.c_void_p, (ctypes.c_uint32,)),
        ("seccomp_arch_native", ctypes.c_uint32, ()),
        ("seccomp_attr_set", ctypes.c_int, (ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32)),
        ("seccomp_syscall_resolve_name", ctypes.c_int, (ctypes.c_char_p,)),
        (
            "seccomp_rule_add_exact_array",
            ctypes.c_int,
            (ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p),
        ),
        ("seccomp_load", ctypes.c_int, (ctypes.c_void_p,)),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    if library.seccomp_arch_native() not in _ARCHITECTURES:
        raise SealUnavailable(
            "seccomp", "there is no filter for this architecture", remedy=_CONVERT
        )
    return library
