# SPDX-License-Identifier: Apache-2.0
"""A CA of tests, what it certifies, and what an independent reader says of a signed file."""

import io
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import c2pa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tabard_server.c2pa.settings import C2paSettings

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
SUBJECT = "CN=Pictures,O=Tests"


@dataclass(frozen=True, kw_only=True)
class Issued:
    """A certificate with its CA's behind it, and its key, as files."""

    certificate: Path
    key: Path
    ca: bytes

    @property
    def settings(self) -> C2paSettings:
        return C2paSettings(certificate=str(self.certificate), key=str(self.key))


def new_key(kind: str = "p256") -> Any:
    """Return a private key."""
    if kind == "rsa":
        return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    curve = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1(), "k1": ec.SECP256K1()}[kind]
    return ec.generate_private_key(curve)


def issue(
    folder: Path,
    *,
    kind: str = "p256",
    until: datetime = NOW + 30 * DAY,
    since: datetime = NOW - 30 * DAY,
    usage: Any = ExtendedKeyUsageOID.EMAIL_PROTECTION,
) -> Issued:
    """Certify a new key."""
    folder.mkdir(parents=True, exist_ok=True)
    ca_key, key = new_key(), new_key(kind)
    ca = _certificate("Tests CA", ca_key, "Tests CA", ca_key, since=NOW - 90 * DAY, is_ca=True)
    own = _certificate("Pictures", key, "Tests CA", ca_key, since=since, until=until, usage=usage)
    certificate, key_file = folder / "chain.pem", folder / "key.pem"
    certificate.write_bytes(pem(own) + pem(ca))
    key_file.write_bytes(key_pem(key))
    return Issued(certificate=certificate, key=key_file, ca=pem(ca))


def pem(certificate: x509.Certificate) -> bytes:
    """Write a certificate."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def key_pem(key: Any, *, passphrase: bytes = b"") -> bytes:
    """Write a key."""
    sealed: Any = serialization.NoEncryption()
    if passphrase:
        sealed = serialization.BestAvailableEncryption(passphrase)
    return bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealed)
    )


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the library's reader says of a file, told whom to trust."""

    state: str
    failures: list[str]
    manifest: dict[str, Any]

    @property
    def action(self) -> dict[str, Any]:
        """The one thing that was done."""
        (found,) = [one for one in self.manifest["assertions"] if "actions" in one["label"]]
        (action,) = found["data"]["actions"]
        return dict(action)


def read(content: bytes, *, ca: bytes, media_type: str = "image/png") -> Seen:
    """Read a signed file."""
    trust = {"trust": {"trust_anchors": ca.decode()}, "verify": {"verify_trust": True}}
    context = c2pa.Context.from_dict(trust)
    with c2pa.Reader(media_type, io.BytesIO(content), context=context) as reader:
        told = json.loads(reader.json())
        results = reader.get_validation_results() or {}
    return Seen(
        state=told["validation_state"],
        failures=[one["code"] for one in results["activeManifest"]["failure"]],
        manifest=told["manifests"][told["active_manifest"]],
    )


def _certificate(
    name: str,
    key: Any,
    issuer: str,
    issuer_key: Any,
    *,
    since: datetime,
    until: datetime = NOW + 365 * DAY,
    is_ca: bool = False,
    usage: Any = None,
) -> x509.Certificate:
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(authority, critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=is_ca,
                crl_sign=is_ca,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
    )
    if usage is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Tests"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )
