# SPDX-License-Identifier: Apache-2.0
"""Seals this process: what it could do before, it cannot do afterwards, whatever code runs in it.

It reads descriptor 0, writes descriptor 1, counts in private memory and ends; anything else kills
it. The limits count from the moment of sealing, so what was imported before is free.
"""

import ctypes
import math
import os
import resource

from tabard_server.pickles.kernel import call, required
from tabard_server.pickles.landlock import renounce_files
from tabard_server.pickles.seccomp import SystemCallFilter

_NOBODY = 65534
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38
_CAPABILITIES_VERSION = 0x20080522
_FIRST_UNUSED_FD = 3
_FDS_MAX = 1 << 16

_AS_ROOT = "Run the server as a plain user, or as a root that may become another user."


class Seal:
    """The seal of this process, made ready and not yet closed.

    Must be made before the first thread is started.

    Raises:
        SealUnavailable: It cannot be had here.
    """

    def __init__(self) -> None:
        self._filter = SystemCallFilter()
        self._has_own_network = _leave_network()

    def close(self, *, memory_bytes_max: int, seconds_max: int) -> tuple[str, ...]:
        """Give up everything but the memory and the time that are granted from here on.

        Returns:
            What holds from now on, outermost first.

        Raises:
            SealUnavailable: The system refused; nothing hostile may be read then.
        """
        with required("/proc/self/statm"):
            address_bytes = _address_bytes() + memory_bytes_max
        used = resource.getrusage(resource.RUSAGE_SELF)
        cpu_seconds = math.ceil(used.ru_utime + used.ru_stime) + seconds_max
        os.closerange(_FIRST_UNUSED_FD, _FDS_MAX)
        _become_nobody()
        _forbid_privileges()
        landlock = renounce_files()
        _limit(address_bytes=address_bytes, cpu_seconds=cpu_seconds)
        # Last: after it not even this function could go on as it does.
        self._filter.enforce()
        optional = (("own network", self._has_own_network), (f"Landlock {landlock}", landlock))
        return (*(name for name, holds in optional if holds), "seccomp")


def _leave_network() -> bool:
    """Move to a network of its own that has no way out, where the kernel allows it."""
    flags = _CLONE_NEWNET if os.geteuid() == 0 else _CLONE_NEWUSER | _CLONE_NEWNET
    try:
        call("unshare", ctypes.c_int(flags))
    except OSError:
        return False
    return True


def _become_nobody() -> None:
    """Give up root, and what a namespace of its own brought a plain user."""
    if os.geteuid() == 0:
        with required("setgroups", remedy=_AS_ROOT):
            os.setgroups([])
        with required("setresgid", remedy=_AS_ROOT):
            os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        with required("setresuid", remedy=_AS_ROOT):
            os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    header = (ctypes.c_uint32 * 2)(_CAPABILITIES_VERSION, 0)
    with required("capset"):
        call("capset", header, (ctypes.c_uint32 * 6)())


def _forbid_privileges() -> None:
    zeros = (ctypes.c_ulong(0),) * 3
    for option, value in ((_PR_SET_NO_NEW_PRIVS, 1), (_PR_SET_DUMPABLE, 0)):
        with required("prctl"):
            call("prctl", ctypes.c_int(option), ctypes.c_ulong(value), *zeros)


def _limit(*, address_bytes: int, cpu_seconds: int) -> None:
    limits = {
        resource.RLIMIT_AS: address_bytes,
        resource.RLIMIT_CPU: cpu_seconds,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NPROC: 0,
        resource.RLIMIT_NOFILE: _FIRST_UNUSED_FD,
    }
    for limit, value in limits.items():
        with required("setrlimit"):
            resource.setrlimit(limit, (value, value))


def _address_bytes() -> int:
    with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - a file of the kernel
        return int(file.read().split()[0]) * resource.getpagesize()
