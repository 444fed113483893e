# SPDX-License-Identifier: Apache-2.0
"""The certificate that pictures are signed with, and its key: read once, and seen to fit.

In: where they are, and what time it is. Out: a credential, or a refusal that names the setting.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from tabard_server.c2pa.settings import C2paSettings
from tabard_server.errors import BadSettings

_CURVES: Mapping[str, tuple[str, ...]] = {
    "secp256r1": ("es256",),
    "secp384r1": ("es384",),
    "secp521r1": ("es512",),
}
_RSA = ("ps256", "ps384", "ps512")
_PEM_HINT = "give PEM: the certificate, then those between it and its CA; the key apart from them"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """What signs.

    Attributes:
        subject: Whom the certificate names, as RFC 4514 writes it.
        expires_at: Until when the certificate is valid.
        algorithm: What signs, in C2PA's word.
        chain: The certificates as PEM, its own first.
        key: The private key as PEM.
    """

    subject: str
    expires_at: datetime
    algorithm: str
    chain: bytes = field(repr=False)
    key: bytes = field(repr=False)


def read_credential(settings: C2paSettings, *, now: datetime) -> Credential:
    """Read the files and see that they go together, now.

    Raises:
        BadSettings: They cannot be read, do not fit, or are not valid now.
    """
    chain = _read("certificate", settings.certificate_file)
    key = _read("key", settings.key_file)
    certificates, private = _certificates(settings, chain), _private_key(settings, key)
    own = certificates[0]
    if _told(own.public_key()) != _told(private.public_key()):
        raise _refused(
            "key",
            f"{settings.key_file} is not the key of the certificate {_subject(own)}",
            reason="C2PA_CREDENTIAL_MISMATCH",
            hint="give the key that the certificate was made for; its certificate stands first",
        )
    _refuse_invalid(certificates, now=now)
    return Credential(
        subject=_subject(own),
        expires_at=min(one.not_valid_after_utc for one in certificates).astimezone(UTC),
        algorithm=_algorithm(settings, private),
        chain=chain,
        key=key,
    )


def _read(name: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _refused(
            name,
            f"{path} cannot be read: {error.strerror}",
            reason="C2PA_CREDENTIAL_UNREADABLE",
            hint="check the path, and who may read it; or leave out c2pa.certificate and c2pa.key",
        ) from error


def _certificates(settings: C2paSettings, chain: bytes) -> Sequence[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(chain)
    except ValueError as error:
        raise _refused(
            "certificate",
            f"{settings.certificate_file} holds no certificate",
            reason="C2PA_CREDENTIAL_UNREADABLE",
            hint=_PEM_HINT,
        ) from error


def _private_key(settings: C2paSettings, key: bytes) -> PrivateKeyTypes:
    # What the library says of a key may quote it; that it is none, is enough.
    try:
        return load_pem_private_key(key, password=None)
    except (ValueError, UnsupportedAlgorithm):
        what, hint = "holds no private key", _PEM_HINT
    except TypeError:
        what, hint = "has a passphrase", "take the passphrase off: nobody is there to type it"
    raise _refused(
        "key", f"{settings.key_file} {what}", reason="C2PA_CREDENTIAL_UNREADABLE", hint=hint
    )


def _refuse_invalid(certificates: Sequence[x509.Certificate], *, now: datetime) -> None:
    for one in certificates:
        begins, ends = one.not_valid_before_utc, one.not_valid_after_utc
        if begins <= now < ends:
            continue
        when = f"expired at {ends:%Y-%m-%d %H:%M} UTC"
        if now < begins:
            when = f"is not valid before {begins:%Y-%m-%d %H:%M} UTC"
        raise _refused(
            "certificate",
            f"the certificate {_subject(one)} {when}",
            reason="C2PA_CERTIFICATE_EXPIRED",
            hint="renew it; or leave out c2pa.certificate and c2pa.key, and sign nothing",
        )


def _algorithm(settings: C2paSettings, key: PrivateKeyTypes) -> str:
    can = _algorithms(key)
    wanted = can[0] if settings.algorithm == "auto" and can else settings.algorithm
    if wanted not in can:
        what = "signs no Content Credentials" if not can else f"is for {' or '.join(can)}"
        raise _refused(
            "algorithm",
            f"the key of c2pa.key {what}, and c2pa.algorithm is {settings.algorithm}",
            reason="C2PA_CREDENTIAL_MISMATCH",
            hint="leave out c2pa.algorithm"
            if can
            else "use a key on P-256, P-384 or P-521, of RSA, or of Ed25519",
        )
    return wanted


def _algorithms(key: PrivateKeyTypes) -> tuple[str, ...]:
    if isinstance(key, EllipticCurvePrivateKey):
        return _CURVES.get(key.curve.name, ())
    if isinstance(key, RSAPrivateKey):
        return _RSA
    return ("ed25519",) if isinstance(key, Ed25519PrivateKey) else ()


def _told(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _subject(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string() or "without a name"


def _refused(name: str, what: str, *, reason: str, hint: str) -> BadSettings:
    return BadSettings(f"c2pa.{name}: {what}", names=(f"c2pa.{name}",), reason=reason, hint=hint)
