# SPDX-License-Identifier: Apache-2.0
"""The settings of signed pictures: the certificate and the key. Values only."""

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, model_validator

from tabard_server.errors import BadSettings
from tabard_server.limits import VALUES

Algorithm = Literal["auto", "es256", "es384", "es512", "ps256", "ps384", "ps512", "ed25519"]
"""How C2PA names what signs."""


class C2paSettings(BaseModel):
    """Content Credentials (C2PA) in every picture that callers are sent; unsaid, in none."""

    model_config = VALUES

    certificate: str = ""
    """PEM file with the certificate that signs, and those between it and its CA; needs the extra
    `tabard[c2pa]`; empty: pictures are not signed."""
    key: str = ""
    """PEM file with its private key, without a passphrase."""
    algorithm: Algorithm = "auto"
    """What signs: `es256`, `es384`, `es512`, `ps256`, `ps384`, `ps512` or `ed25519`; `auto`: what
    goes with the key, `ps256` of an RSA key."""

    @property
    def is_on(self) -> bool:
        """Whether pictures are signed."""
        return bool(self.certificate)

    @property
    def certificate_file(self) -> Path:
        """Where the certificate is."""
        return Path(self.certificate).expanduser()

    @property
    def key_file(self) -> Path:
        """Where the key is."""
        return Path(self.key).expanduser()

    @model_validator(mode="after")
    def _certificate_has_a_key(self) -> Self:
        for said, lacking in (("certificate", "key"), ("key", "certificate")):
            if getattr(self, said) and not getattr(self, lacking):
                raise BadSettings(
                    f"c2pa.{said} is said, and c2pa.{lacking} is not",
                    names=(f"c2pa.{lacking}", f"c2pa.{said}"),
                    hint=f"say c2pa.{lacking} as well, or neither",
                )
        return self
