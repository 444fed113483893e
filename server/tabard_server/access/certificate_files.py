# SPDX-License-Identifier: Apache-2.0
"""The certificate of this server, its key, and the CAs of its callers: files that may change.

In: where they are. Out: what they hold now, if that is whole, and otherwise what they held before:
a renewal that is half done cuts nobody off. Any thread.
"""

import ssl
import threading
from dataclasses import dataclass

from tabard_server.access.settings import TlsSettings
from tabard_server.errors import BadSettings
from tabard_server.telemetry.logs import log_event, log_problem

_HINT = "give the certificate and its key as PEM, without a passphrase; a chain begins with its own"

Stamp = tuple[tuple[int, int, int], ...]
"""What changes of a file when it is written or replaced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """What the files held at one time.

    Attributes:
        certificate: The certificate, and those between it and its CA.
        key: Its private key.
        client_ca: The CAs of callers; None: nobody is asked for a certificate.
        context: The same for what speaks TLS by the standard library.
    """

    certificate: bytes
    key: bytes
    client_ca: bytes | None
    context: ssl.SSLContext

    def __repr__(self) -> str:
        return "Certificates()"


class CertificateFiles:
    """Reads the files again when they have changed.

    Attributes:
        asks_callers: Whether callers must have a certificate of their own.
    """

    def __init__(self, settings: TlsSettings) -> None:
        """Read them for the first time.

        Raises:
            BadSettings: They cannot be read, or do not belong together.
        """
        self._files = settings.files
        self._lock = threading.Lock()
        self._complained = ""
        self.asks_callers = bool(settings.client_ca)
        try:
            self._stamp = self._look()
            self._now = self._read()
        except (OSError, ValueError) as error:
            # What the system says of a key may quote it; where it is, is enough.
            raise BadSettings(
                f"the files of tls cannot be used: {_told(error)}",
                names=tuple(name for name, _path in self._files),
                hint=_HINT,
            ) from error

    @property
    def now(self) -> Certificates:
        """What to speak with from now on; looks at the files, and reads them when they changed."""
        with self._lock:
            try:
                stamp = self._look()
                if stamp != self._stamp:
                    # Told once, whatever comes of it; the next change is another try.
                    self._stamp = stamp
                    self._now = self._read()
                    log_event("tls.reloaded", certificate=str(dict(self._files)["tls.certificate"]))
            except (OSError, ValueError) as error:
                self._complain(error)
            return self._now

    def _look(self) -> Stamp:
        found = [path.stat() for _name, path in self._files]
        return tuple((one.st_mtime_ns, one.st_size, one.st_ino) for one in found)

    def _read(self) -> Certificates:
        files = dict(self._files)
        held = {name: path.read_bytes() for name, path in files.items()}
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # A passphrase would be asked for on the terminal.
        context.load_cert_chain(files["tls.certificate"], files["tls.key"], password="")
        client_ca = held.get("tls.client_ca")
        if client_ca is not None:
            # Bundles have comments in any language between their certificates, which are ASCII.
            try:
                ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(
                    cadata=client_ca.decode("ascii", errors="ignore")
                )
            except (ssl.SSLError, ValueError) as error:
                raise ValueError(f"{files['tls.client_ca']} holds no certificate") from error
        if held != {name: path.read_bytes() for name, path in files.items()}:
            raise ValueError("they change while they are read")
        return Certificates(
            certificate=held["tls.certificate"],
            key=held["tls.key"],
            client_ca=client_ca,
            context=context,
        )

    def _complain(self, error: Exception) -> None:
        told = _told(error)
        if told != self._complained:
            log_problem(
                "tls.not_reloaded",
                reason="BAD_SETTINGS",
                message=told,
                hint=f"{_HINT}; until then, what was read before is used",
            )
        self._complained = told


def _told(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return f"the certificate and its key do not go together ({error.reason or 'no PEM'})"
    if isinstance(error, OSError):
        return f"{error.filename or 'a file'} cannot be read: {error.strerror}"
    return str(error) if type(error) is ValueError else "a file is no PEM"
