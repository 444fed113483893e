# SPDX-License-Identifier: Apache-2.0
"""Landlock: the kernel's own wall round files, TCP and other processes, where the kernel has it.

It stands behind the filter of system calls, for the day when that has a hole.
"""

import ctypes
import os

from tabard_server.pickles.kernel import call, required

_CREATE_RULESET, _RESTRICT_SELF = 444, 446
_ASK_VERSION = 1
_FILE_RIGHTS = ((1, 13), (2, 14), (3, 15), (5, 16))
"""Since which version there are how many rights on files."""
_TCP_SINCE, _TCP_RIGHTS = 4, 2
_SCOPES_SINCE, _SCOPES = 6, 2


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("files", ctypes.c_uint64),
        ("network", ctypes.c_uint64),
        ("scopes", ctypes.c_uint64),
    )


def landlock_version() -> int:
    """Return the version of the kernel's Landlock; 0 where it has none or hides it."""
    try:
        return call(
            "syscall",
            ctypes.c_long(_CREATE_RULESET),
            ctypes.c_void_p(None),
            ctypes.c_size_t(0),
            ctypes.c_uint32(_ASK_VERSION),
        )
    except OSError:
        return 0


def renounce_files() -> int:
    """Give up all that this kernel's Landlock can forbid; return its version, 0 where it has none.

    Needs `no_new_privs`.

    Raises:
        SealUnavailable: The kernel has it and refuses it.
    """
    version = landlock_version()
    if version == 0:
        return 0
    ruleset = _Ruleset(
        files=_all(max(rights for since, rights in _FILE_RIGHTS if since <= version)),
        network=_all(_TCP_RIGHTS if version >= _TCP_SINCE else 0),
        scopes=_all(_SCOPES if version >= _SCOPES_SINCE else 0),
    )
    with required("landlock_create_ruleset"):
        descriptor = call(
            "syscall",
            ctypes.c_long(_CREATE_RULESET),
            ctypes.byref(ruleset),
            ctypes.c_size_t(_size_bytes(version)),
            ctypes.c_uint32(0),
        )
    with required("landlock_restrict_self"):
        call(
            "syscall",
            ctypes.c_long(_RESTRICT_SELF),
            ctypes.c_int(descriptor),
            ctypes.c_uint32(0),
        )
        os.close(descriptor)
    return version


def _all(count: int) -> int:
    return (1 << count) - 1


def _size_bytes(version: int) -> int:
    """Return how much of the structure a kernel of that version knows."""
    fields = 1 + (version >= _TCP_SINCE) + (version >= _SCOPES_SINCE)
    return fields * ctypes.sizeof(ctypes.c_uint64)
