# SPDX-License-Identifier: Apache-2.0
"""What a client brings to a TLS handshake: whom it believes, and its own certificate.

In: names of PEM files. Out: their bytes, after they were found to be what they should be.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tabard.errors import InvalidArgument

if TYPE_CHECKING:
    import ssl

PEM_BYTES_MAX = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Whom a client believes, and who it is.

    Attributes:
        ca_file: File of the certificates that are believed; None: those that gRPC brings.
        certificate_files: Files of the client's own certificate and of its private key.
        ca: What the first file holds.
        certificate: What the second file holds: the certificate, with those between it and its CA.
        key: The private key.
    """

    ca_file: Path | None
    certificate_files: tuple[Path, Path] | None
    ca: bytes | None = field(repr=False)
    certificate: bytes | None = field(repr=False)
    key: bytes | None = field(repr=False)

    def context(self) -> ssl.SSLContext:
        """Give what Python's own TLS needs to shake hands as gRPC does."""
        import ssl  # noqa: PLC0415 - only TLS needs it

        text = self.ca.decode("ascii", errors="ignore") if self.ca else None
        made = ssl.create_default_context(cadata=text)
        # gRPC is less strict about certificates that only look old.
        made.verify_flags &= ~ssl.VERIFY_X509_STRICT
        made.set_alpn_protocols(["h2"])
        if self.certificate_files:
            made.load_cert_chain(*self.certificate_files, password=lambda: "")
        return made


def read_tls(*, ca_file: Path | None, certificate_files: tuple[Path, Path] | None) -> Tls:
    """Read the files of a client.

    Raises:
        InvalidArgument: One of them cannot be read, or is not what it should be.
    """
    ca = _read(ca_file, what="CA") if ca_file else None
    if ca is not None:
        _check_ca(ca, ca_file)
    if certificate_files is None:
        return Tls(ca_file=ca_file, certificate_files=None, ca=ca, certificate=None, key=None)
    certificate, key = (
        _read(file, what=what)
        for file, what in zip(certificate_files, ("certificate", "private key"), strict=True)
    )
    _check_pair(certificate_files)
    return Tls(
        ca_file=ca_file,
        certificate_files=certificate_files,
        ca=ca,
        certificate=certificate,
        key=key,
    )


def _read(path: Path, *, what: str) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(PEM_BYTES_MAX + 1)
    except OSError as error:
        raise InvalidArgument(
            f"the file '{path}' of the {what} cannot be read: {error.strerror or error}",
            reason="FILE_UNREADABLE",
            hint="check its name, and who may read it",
        ) from error
    if len(content) > PEM_BYTES_MAX:
        raise _no_pem(path, what=what)
    return content


def _check_ca(content: bytes, path: Path | None) -> None:
    import ssl  # noqa: PLC0415 - only TLS needs it

    # Bundles have comments in any language between their certificates, which are ASCII.
    text = content.decode("ascii", errors="ignore")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError) as error:
        raise _no_pem(path, what="CA") from error


def _check_pair(files: tuple[Path, Path]) -> None:
    import ssl  # noqa: PLC0415 - only TLS needs it

    certificate, key = files
    try:
        # An encrypted key is asked for its password, and nobody is there to say it.
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(
            certificate, key, password=lambda: ""
        )
    except (ssl.SSLError, OSError, ValueError) as error:
        raise InvalidArgument(
            f"the certificate '{certificate}' and the private key '{key}' are no pair",
            reason="CERTIFICATE_INVALID",
            hint="name the PEM file of the certificate and that of its key, which is not encrypted",
        ) from error


def _no_pem(path: Path | None, *, what: str) -> InvalidArgument:
    return InvalidArgument(
        f"the file '{path}' of the {what} holds no certificate",
        reason="CERTIFICATE_INVALID",
        hint="name a PEM file: it begins with -----BEGIN CERTIFICATE-----",
    )
