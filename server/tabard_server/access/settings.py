# SPDX-License-Identifier: Apache-2.0
"""The settings of who may reach a server: how callers show who they are, and encryption.

Values only, refused loudly when they make no sense. What is said of somebody and cannot be read is
refused: it never gives them more.
"""

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, PositiveFloat, model_validator

from tabard_registry import RegistryError
from tabard_registry.identity.roles import Grants, Role
from tabard_server.errors import BadSettings
from tabard_server.limits import VALUES

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
"""Hosts that nobody but this machine reaches, as addresses write them."""
CERTIFICATE_KINDS = ("uri", "dns", "email", "cn")
"""Which names of a client certificate somebody can be known by."""

RoleName = Literal["generate", "publish", "promote", "review", "operate", "admin"]
Roles = Annotated[tuple[RoleName, ...], Field(strict=False, min_length=1)]


class ClaimGrant(BaseModel):
    """Roles for whoever has a value in a claim of their token."""

    model_config = VALUES

    claim: Annotated[str, Field(min_length=1)]
    """Name of the claim; a dot leads into a claim, unless there is one of the whole name."""
    value: Annotated[str, Field(min_length=1)]
    """What it must be, or have among its values."""
    namespace: str
    """The namespace, or `*` for all of them."""
    roles: Roles
    """The roles there."""


class CertificateGrant(BaseModel):
    """Roles for whoever has a name in their certificate."""

    model_config = VALUES

    certificate: str
    """The name with its kind: `uri:`, `dns:`, `email:` or `cn:`; a `*` at its end stands for
    whatever follows."""
    namespace: str
    """The namespace, or `*` for all of them."""
    roles: Roles
    """The roles there."""
    tenant: str = ""
    """Whose share of the server they use; empty: their own."""


class IdentitySettings(BaseModel):
    """How callers show who they are; with nothing said nobody is asked."""

    model_config = VALUES

    tokens: bool = False
    """Take the tokens of the registry."""
    jwt_issuer: str = ""
    """Take the tokens of this OpenID Connect issuer, as its `iss` says it; empty: of none."""
    jwt_audience: str = ""
    """What the tokens must be made for: their `aud`."""
    jwt_jwks_url: str = ""
    """Where the issuer's keys are; empty: where its discovery document says."""
    jwt_keys_seconds_max: PositiveFloat = 3_600.0
    """After how long the issuer's keys are asked for again; a key that is not known yet is asked
    for at once."""
    jwt_leeway_seconds: Annotated[float, Field(ge=0.0, le=300.0)] = 30.0
    """How far the clocks of the issuer and of this server may be apart."""
    jwt_name_claim: Annotated[str, Field(min_length=1)] = "sub"
    """The claim that says who somebody is."""
    jwt_tenant_claim: str = ""
    """The claim that says whose share of the server they use; empty: their own."""
    jwt_grants: Annotated[tuple[ClaimGrant, ...], Field(strict=False)] = ()
    """Who may do what, by claims: tables with `claim`, `value`, `namespace` and `roles`. Of a
    variable it is JSON."""
    certificate_grants: Annotated[tuple[CertificateGrant, ...], Field(strict=False)] = ()
    """Who may do what, by client certificates of `tls.client_ca`: tables with `certificate`,
    `namespace` and `roles`, and `tenant` where it is another's. Of a variable it is JSON."""

    @property
    def ways(self) -> tuple[str, ...]:
        """How callers can show who they are: `tokens`, `jwt`, `certificates`."""
        ways = {
            "tokens": self.tokens,
            "jwt": self.jwt_issuer,
            "certificates": self.certificate_grants,
        }
        return tuple(way for way, said in ways.items() if said)

    @property
    def is_on(self) -> bool:
        """Whether callers are asked who they are."""
        return bool(self.ways)

    @model_validator(mode="after")
    def _issuer_is_whole(self) -> Self:
        if self.jwt_issuer and not self.jwt_audience:
            raise BadSettings(
                "identity.jwt_issuer needs identity.jwt_audience: tokens made for others are "
                "nobody's here",
                names=("identity.jwt_issuer", "identity.jwt_audience"),
                hint="say what the issuer calls this server",
            )
        if self.jwt_grants and not self.jwt_issuer:
            raise BadSettings(
                "identity.jwt_grants says who may do what, and no issuer is named",
                names=("identity.jwt_grants", "identity.jwt_issuer"),
                hint="name it: identity.jwt_issuer",
            )
        for name in ("jwt_issuer", "jwt_jwks_url"):
            url = getattr(self, name)
            if url and not is_safe_url(url):
                raise BadSettings(
                    f"identity.{name} is no https:// URL",
                    names=(f"identity.{name}",),
                    hint="keys that anybody on the way can change prove nothing; http:// is for "
                    "loopback alone",
                )
        return self

    @model_validator(mode="after")
    def _grants_can_be_read(self) -> Self:
        for name in ("jwt_grants", "certificate_grants"):
            for rule in getattr(self, name):
                try:
                    Grants({rule.namespace: frozenset(map(Role, rule.roles))})
                except RegistryError as error:
                    raise BadSettings(
                        f"identity.{name}: {error}", names=(f"identity.{name}",), hint=error.hint
                    ) from error
        for rule in self.certificate_grants:
            kind, colon, rest = rule.certificate.partition(":")
            if not (colon and kind in CERTIFICATE_KINDS and rest and "*" not in rest[:-1]):
                raise BadSettings(
                    f"identity.certificate_grants: {rule.certificate[:80]!r} is no name of a "
                    "certificate",
                    names=("identity.certificate_grants",),
                    hint="write its kind before it, like uri:spiffe://studio.example/render; a * "
                    "can only be its end",
                )
        return self


class TlsSettings(BaseModel):
    """Encryption of the gRPC port and of the metrics page; with nothing said there is none."""

    model_config = VALUES

    certificate: str = ""
    """PEM file with the certificate of this server, and those between it and its CA. It is read
    again when it has changed."""
    key: str = ""
    """PEM file with its private key."""
    client_ca: str = ""
    """PEM file with the CAs of client certificates: whoever calls must have one of theirs; empty:
    nobody is asked for one."""

    @property
    def is_on(self) -> bool:
        """Whether anything is encrypted."""
        return bool(self.certificate)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if bool(self.certificate) != bool(self.key):
            raise BadSettings(
                "a certificate and its key go together",
                names=("tls.certificate", "tls.key"),
                hint="say both: tls.certificate and tls.key",
            )
        if self.client_ca and not self.certificate:
            raise BadSettings(
                "tls.client_ca asks callers for certificates, and this server has none",
                names=("tls.client_ca", "tls.certificate"),
                hint="say tls.certificate and tls.key too",
            )
        return self

    @property
    def files(self) -> tuple[tuple[str, Path], ...]:
        """Return the files that are said, each with the name of its setting."""
        said = {
            "tls.certificate": self.certificate,
            "tls.key": self.key,
            "tls.client_ca": self.client_ca,
        }
        return tuple((name, Path(text).expanduser()) for name, text in said.items() if text)


def is_loopback(address: str) -> bool:
    """Say whether only this machine reaches an address."""
    return address.startswith("unix:") or address.rpartition(":")[0] in LOOPBACK


def is_safe_url(url: str) -> bool:
    """Say whether what is fetched there is what its owner sent."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    on_loopback = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")
    return bool(parts.hostname) and (parts.scheme == "https" or on_loopback)
