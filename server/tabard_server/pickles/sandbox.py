# SPDX-License-Identifier: Apache-2.0
"""Seals this process: what it could do before, it cannot do afterwards, whatever code runs in it.

No network, no new files, no new processes, no more memory or time than it is given, and no way
back. The limits count from the moment of sealing, so what was imported before is free.
"""

import ctypes
import math
import os
import resource

_NOBODY = 65534
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38
_FIRST_UNUSED_FD = 3
_FDS_MAX = 1 << 16


def leave_network() -> bool:
    """Move to a network of its own that has no way out, where the kernel allows it.

    Must come before the first thread is started.
    """
    kernel = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() == 0 and kernel.unshare(_CLONE_NEWNET) == 0:
        return True
    return bool(kernel.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0)


def seal(*, memory_bytes_max: int, seconds_max: int) -> None:
    """Give up everything but the memory and the time that are granted from here on.

    Raises:
        OSError: The system refused; nothing hostile may be read then.
    """
    address_bytes = _address_bytes() + memory_bytes_max
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu_seconds = math.ceil(used.ru_utime + used.ru_stime) + seconds_max
    os.closerange(_FIRST_UNUSED_FD, _FDS_MAX)
    _become_nobody()
    _forbid_privileges()
    limits = {
        resource.RLIMIT_AS: address_bytes,
        resource.RLIMIT_CPU: cpu_seconds,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NPROC: 0,
        # The three standard streams are open: there is no number left for a file or a socket.
        resource.RLIMIT_NOFILE: _FIRST_UNUSED_FD,
    }
    for limit, value in limits.items():
        resource.setrlimit(limit, (value, value))


def _become_nobody() -> None:
    if os.geteuid() != 0:
        return
    os.setgroups([])
    os.setresgid(_NOBODY, _NOBODY, _NOBODY)
    os.setresuid(_NOBODY, _NOBODY, _NOBODY)


def _forbid_privileges() -> None:
    kernel = ctypes.CDLL(None, use_errno=True)
    for option, value in ((_PR_SET_NO_NEW_PRIVS, 1), (_PR_SET_DUMPABLE, 0)):
        if kernel.prctl(option, value, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl refused")


def _address_bytes() -> int:
    with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - a file of the kernel
        return int(file.read().split()[0]) * resource.getpagesize()
