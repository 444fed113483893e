# SPDX-License-Identifier: Apache-2.0
"""The addresses that a gRPC server takes: whether one is free, encryption, the operators' socket.

In: addresses as settings write them. Out: addresses that were really taken, or a typed error.
"""

import errno
import os
import re
import socket
import stat
import tempfile
from pathlib import Path
from typing import Any

import grpc

from tabard_server.access.certificate_files import CertificateFiles, Certificates
from tabard_server.errors import BadSettings

UNIX = "unix:"
"""How the address of a unix socket begins."""

_PRIVATE_UMASK = 0o177
_PRIVATE_FOLDER = 0o700
_PROBE_SECONDS_MAX = 1.0


def take(
    server: Any, listen: str, *, is_private: bool = False, files: CertificateFiles | None = None
) -> str:
    """Let a gRPC server have an address; return it with the port that was really taken.

    Args:
        server: The gRPC server.
        listen: The address; port 0 lets the system choose.
        is_private: Whether nobody but this user may open it, where it is a unix socket.
        files: The certificates of what is no unix socket; None: it is not encrypted.

    Raises:
        BadSettings: The address cannot be had.
    """
    # gRPC writes lines of its own to stderr when it fails, and takes the path of a unix socket
    # away from whoever listens there.
    if _is_taken(listen):
        raise _not_available(listen)
    umask = os.umask(_PRIVATE_UMASK) if is_private else None
    try:
        if files is None or listen.startswith(UNIX):
            port = server.add_insecure_port(listen)
        else:
            port = server.add_secure_port(listen, _credentials(files))
    except RuntimeError as error:
        raise _not_available(listen) from error
    finally:
        if umask is not None:
            os.umask(umask)
    return listen if listen.startswith(UNIX) else f"{listen.rpartition(':')[0]}:{port}"


def operators_socket(listen: str) -> str:
    """Return the address of the operators' socket of a server that listens there; empty: none.

    It is named after the address, which is one server's alone, so it is as well. A server whose
    port the system chooses has none.

    Raises:
        BadSettings: There is no folder that is this user's alone.
    """
    if listen.endswith(":0"):
        return ""
    name = re.sub(r"[^A-Za-z0-9.]+", "-", listen).strip("-")
    return f"{UNIX}{_runtime_folder() / name}.operators"


def _credentials(files: CertificateFiles) -> grpc.ServerCredentials:
    """Make gRPC ask for the certificates before each handshake."""
    told = files.now

    def changed() -> Any:
        nonlocal told
        now = files.now
        if now is told:
            return None
        told = now
        return _configuration(now)

    return grpc.dynamic_ssl_server_credentials(
        _configuration(told),
        changed,
        require_client_authentication=files.asks_callers,
    )


def _configuration(certificates: Certificates) -> Any:
    return grpc.ssl_server_certificate_configuration(
        [(certificates.key, certificates.certificate)], root_certificates=certificates.client_ca
    )


def _runtime_folder() -> Path:
    given = os.environ.get("XDG_RUNTIME_DIR")
    if given and Path(given).is_dir():
        folder = Path(given) / "tabard"
    else:
        folder = Path(tempfile.gettempdir()) / f"tabard-{os.geteuid()}"
    try:
        folder.mkdir(mode=_PRIVATE_FOLDER, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise _no_folder(folder, f"it cannot be made: {error.strerror}") from error
    is_private = stat.S_ISDIR(found.st_mode) and not stat.S_IMODE(found.st_mode) & 0o077
    if not is_private or found.st_uid != os.geteuid():
        raise _no_folder(folder, "it is not this user's alone")
    return folder


def _is_taken(listen: str) -> bool:
    if listen.startswith(UNIX):
        return _answers(listen.removeprefix(UNIX))
    host, _colon, port = listen.rpartition(":")
    try:
        found = socket.getaddrinfo(
            host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except socket.gaierror:
        return True
    errors = [_bind_error(family, address) for family, _type, _number, _name, address in found]
    # Whoever has one address of a name has the name; one that this machine lacks does not matter.
    return errno.EADDRINUSE in errors or all(errors)


def _bind_error(family: int, address: Any) -> int:
    """Try whether a TCP address can be bound, as gRPC would; return the number of the error."""
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind(address)
    except OSError as error:
        return error.errno or errno.EADDRNOTAVAIL
    return 0


def _answers(path: str) -> bool:
    """Say whether a process listens on a unix socket; that of a killed one is nobody's."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_PROBE_SECONDS_MAX)
        try:
            probe.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except OSError:
            return True
    return True


def _not_available(listen: str) -> BadSettings:
    return BadSettings(
        f"cannot listen on {listen}",
        reason="ADDRESS_NOT_AVAILABLE",
        hint="another process may have it: choose another port, or port 0 for any",
    )


def _no_folder(folder: Path, why: str) -> BadSettings:
    return BadSettings(
        f"the operators' socket cannot be in {folder}: {why}",
        reason="ADDRESS_NOT_AVAILABLE",
        hint="say where it may be: operators_listen = 'unix:/path', or '' for none",
    )
