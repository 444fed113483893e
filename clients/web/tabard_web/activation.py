# SPDX-License-Identifier: Apache-2.0
"""The socket that systemd opened for this process, and listens at while it is not there.

In: the variables of systemd's protocol. Out: one listening socket. Source: sd_listen_fds(3).
"""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping

from tabard import InvalidArgument

FIRST = 3
"""Number of the first descriptor that is passed."""

_HINT = "start it by a .socket unit with one ListenStream=HOST:PORT, or say --listen HOST:PORT"


def passed_socket(environment: MutableMapping[str, str], *, first: int = FIRST) -> socket.socket:
    """Take the socket that was passed, and the words about it: no child of this process has it.

    Raises:
        InvalidArgument: None was passed, or more than one, or one that is no TCP port to listen at.
    """
    said = {name: environment.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS")}
    environment.pop("LISTEN_FDNAMES", None)
    if said["LISTEN_PID"] != str(os.getpid()) or said["LISTEN_FDS"] in ("", "0"):
        raise _refused("no socket was passed to this process")
    if said["LISTEN_FDS"] != "1":
        raise _refused(f"{said['LISTEN_FDS']} sockets were passed, and the gateway listens at one")
    try:
        passed = socket.socket(fileno=first)
    except OSError as error:
        raise _refused(f"what was passed is no socket: {error.strerror or error}") from error
    if not _listens(passed):
        passed.close()
        raise _refused("what was passed is no TCP port that listens")
    passed.set_inheritable(False)
    return passed


def _listens(passed: socket.socket) -> bool:
    is_tcp = passed.family in (socket.AF_INET, socket.AF_INET6)
    if not is_tcp or passed.type != socket.SOCK_STREAM:
        return False
    return bool(passed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def _refused(why: str) -> InvalidArgument:
    return InvalidArgument(why, reason="NO_SOCKET_PASSED", hint=_HINT)
