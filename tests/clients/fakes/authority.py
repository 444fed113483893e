# SPDX-License-Identifier: Apache-2.0
"""A certificate authority for tests: real certificates, good ones and bad ones, as PEM files."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Files of a certificate and of its key."""

    certificate: Path
    key: Path

    @property
    def files(self) -> tuple[Path, Path]:
        """Both, as a client takes them."""
        return self.certificate, self.key

    def server_credentials(self, *, client_ca: Path | None = None) -> grpc.ServerCredentials:
        """Give what a server of gRPC takes; with a CA it wants certificates of clients."""
        return grpc.ssl_server_credentials(
            [(self.key.read_bytes(), self.certificate.read_bytes())],
            root_certificates=client_ca.read_bytes() if client_ca else None,
            require_client_auth=client_ca is not None,
        )


class Authority:
    """Signs certificates; `ca` is the file of its own."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._name = folder, name
        self._key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._certificate(name, key=self._key, is_ca=True, hosts=(), days=(-1, 30))
        self.ca = folder / f"{name}-ca.pem"
        self.ca.write_bytes(certificate.public_bytes(Encoding.PEM))

    def sign(
        self,
        name: str,
        *,
        hosts: tuple[str, ...] = ("127.0.0.1", "localhost"),
        days: tuple[int, int] = (-1, 30),
    ) -> Pair:
        """Make a key and a certificate for hosts, good from and until some days from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._certificate(name, key=key, is_ca=False, hosts=hosts, days=days)
        pair = Pair(
            certificate=self._folder / f"{self._name}-{name}.pem",
            key=self._folder / f"{self._name}-{name}.key",
        )
        pair.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
        pair.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return pair

    def _certificate(
        self,
        name: str,
        *,
        key: ec.EllipticCurvePrivateKey,
        is_ca: bool,
        hosts: tuple[str, ...],
        days: tuple[int, int],
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        begin, end = (now + timedelta(days=count) for count in days)
        builder = (
            x509.CertificateBuilder()
            .subject_name(_named(name))
            .issuer_name(_named(self._name))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        )
        if hosts:
            names = [_host(one) for one in hosts]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._key, SHA256())


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _host(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)
