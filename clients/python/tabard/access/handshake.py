# SPDX-License-Identifier: Apache-2.0
"""Why nobody answers a client though somebody listens: TLS, looked at once more, by hand.

In: an address, and what the client brought. Out: an error that says what to do; None where TLS is
not the reason. gRPC says of all this only that a socket was closed.
"""

from __future__ import annotations

import socket
import ssl

from tabard.access.address import TLS_SCHEME, Address
from tabard.access.tls import Tls
from tabard.errors import TabardError, Unauthenticated

LOOK_SECONDS_MAX = 2.0

_EXPIRED, _NOT_YET_VALID = 10, 9
_OTHER_HOST, _OTHER_IP = 62, 64
"""What OpenSSL says of a certificate that it does not take; all the rest is an unknown CA."""


def handshake_failure(address: Address, tls: Tls | None) -> TabardError | None:
    """Connect, and give the error of what stands between client and server.

    Waits for the network, for `LOOK_SECONDS_MAX` a step.
    """
    if address.place is None:
        return None
    try:
        with socket.create_connection(address.place, LOOK_SECONDS_MAX) as plain:
            return _failure(plain, address, tls)
    except OSError:
        return None


def _failure(plain: socket.socket, address: Address, tls: Tls | None) -> TabardError | None:
    if tls is None:
        return _tls_needed(address) if _speaks_tls(plain) else None
    host, _port = address.place or ("", 0)
    try:
        with tls.context().wrap_socket(plain, server_hostname=host) as wrapped:
            return _client_refused(address, tls) if _is_closed(wrapped) else None
    except ssl.SSLCertVerificationError as error:
        return _server_unknown(error, address, tls)
    except ssl.SSLError as error:
        reason = error.reason or ""
        if "ALERT" in reason:
            return _client_refused(address, tls)
        if "WRONG_VERSION" in reason:
            return Unauthenticated(
                f"the server at {address.target} speaks no TLS",
                reason="TLS_NOT_SPOKEN",
                hint=f"write {address.target} without {TLS_SCHEME}, or give the server a "
                "certificate (tls.certificate)",
            )
    except OSError:
        pass
    return Unauthenticated(
        f"the server at {address.target} ends every TLS handshake",
        reason="TLS_FAILED",
        hint="look at its log, and at the port",
    )


def _speaks_tls(plain: socket.socket) -> bool:
    """Greet as TLS does; whoever answers in its words, though with a refusal, speaks it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    try:
        with context.wrap_socket(plain):
            return True
    except ssl.SSLError as error:
        return "ALERT" in (error.reason or "")
    except OSError:
        return False


def _is_closed(wrapped: ssl.SSLSocket) -> bool:
    """Whether a server hangs up behind the handshake: it has seen the client's certificate then."""
    try:
        return not wrapped.recv(1)
    except TimeoutError:
        return False
    except OSError:
        return True


def _tls_needed(address: Address) -> TabardError:
    return Unauthenticated(
        f"the server at {address.target} speaks TLS only",
        reason="TLS_NEEDED",
        hint=f"write {TLS_SCHEME}{address.target}, and name its CA if it has its own "
        "(TABARD_TLS_CA)",
    )


def _client_refused(address: Address, tls: Tls) -> TabardError:
    if tls.certificate_files is None:
        return Unauthenticated(
            f"the server at {address.target} asks for a client certificate",
            reason="CERTIFICATE_MISSING",
            hint="give one: certificate=(file, key), or tabard login --certificate FILE --key FILE",
        )
    return Unauthenticated(
        f"the server at {address.target} does not accept the certificate "
        f"'{tls.certificate_files[0]}'",
        reason="CERTIFICATE_REFUSED",
        hint="see whether it has expired, and whether the CA that the server names "
        "(tls.client_ca) has signed it",
    )


def _server_unknown(error: ssl.SSLCertVerificationError, address: Address, tls: Tls) -> TabardError:
    whose = f"the certificate of the server at {address.target}"
    if error.verify_code == _EXPIRED:
        return _no_trust(f"{whose} has expired", "ask its operator for a new one")
    if error.verify_code == _NOT_YET_VALID:
        return _no_trust(f"{whose} is not yet valid", "see whether the clocks are right")
    if error.verify_code in (_OTHER_HOST, _OTHER_IP):
        return _no_trust(
            f"{whose} is for another name", "write the address with a name that it is for"
        )
    believed = f"the CA in '{tls.ca_file}'" if tls.ca_file else "a CA that is known here"
    return _no_trust(
        f"{whose} is not signed by {believed}",
        "name the file of its CA: tls_ca=, or TABARD_TLS_CA",
    )


def _no_trust(message: str, hint: str) -> TabardError:
    return Unauthenticated(message, reason="SERVER_CERTIFICATE_REFUSED", hint=hint)
