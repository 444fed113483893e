# SPDX-License-Identifier: Apache-2.0
"""The settings of detached jobs: where and how long they are kept, and who may be told of them.

Values only, refused loudly when they make no sense.
"""

import base64
import binascii
import ipaddress
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, PositiveFloat, PositiveInt, SecretStr, model_validator

from tabard_server.errors import BadSettings
from tabard_server.limits import MEBIBYTE, VALUES

SECRET_PREFIX = "whsec_"
"""How the secret of webhooks begins."""
_SECRET_BYTES_MIN, _SECRET_BYTES_MAX = 24, 64


class JobPlace(BaseModel):
    """Where the images of a namespace's jobs may be written."""

    model_config = VALUES

    namespace: Annotated[str, Field(min_length=1)]
    """The namespace; whoever may generate in it may have images written there."""
    url: Annotated[str, Field(min_length=1)]
    """`s3://bucket/prefix`, `file:///…`, or a folder."""


class WebhookSecret(BaseModel):
    """What the webhooks of one tenant are signed with."""

    model_config = VALUES

    tenant: Annotated[str, Field(min_length=1)]
    """The tenant."""
    secret: SecretStr
    """`whsec_` and the base64 of 24 to 64 bytes."""


class JobsSettings(BaseModel):
    """Jobs that outlive the connection that asked for them."""

    model_config = VALUES

    folder: str = ""
    """Folder where this server alone keeps them; empty: one in `cache`, named after the address
    that it listens at."""
    keep_seconds: PositiveFloat = 86_400.0
    """How long a job and its images are kept after its end."""
    bytes_max: PositiveInt = 4_096 * MEBIBYTE
    """Bytes of images that are kept; beyond it the oldest of the tenant who has most go first."""
    kept_max: PositiveInt = 10_000
    """Jobs that are kept, those that run included; beyond it likewise."""
    places: Annotated[tuple[JobPlace, ...], Field(strict=False)] = ()
    """Where images are written for jobs that ask for it, by namespace: tables with `namespace` and
    `url`; the server never removes them there. Of a variable it is JSON."""
    webhook_secret: SecretStr = SecretStr("")
    """What webhooks are signed with, `whsec_` and the base64 of 24 to 64 bytes; empty: only those
    of tenants that have one of their own."""
    webhook_secrets: Annotated[tuple[WebhookSecret, ...], Field(strict=False)] = ()
    """Secrets of tenants: tables with `tenant` and `secret`. Of a variable it is JSON."""
    webhook_http: bool = False
    """Take webhooks without encryption (`http://`)."""
    webhook_networks: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """Networks that webhooks may lead to although they are private, as `10.20.0.0/16`."""
    webhook_links: str = ""
    """URL of the gateway, which the links in a webhook begin with; empty: they are paths."""
    webhook_attempts_max: PositiveInt = 8
    """How often a webhook is tried before it is given up."""
    webhook_seconds_max: PositiveFloat = 10.0
    """How long one try may take."""
    webhook_retry_seconds: PositiveFloat = 5.0
    """How long the first wait between two tries is at most; each next one is twice as long."""
    webhook_retry_seconds_max: PositiveFloat = 3_600.0
    """The longest such wait."""
    webhooks_at_once_max: PositiveInt = 16
    """Webhooks that are sent at once; of one tenant a quarter of them, and one at least."""

    @model_validator(mode="after")
    def _secrets_are_keys(self) -> Self:
        said = [("jobs.webhook_secret", self.webhook_secret)]
        said += [("jobs.webhook_secrets", one.secret) for one in self.webhook_secrets]
        for name, secret in said:
            if secret.get_secret_value() and key_of(secret) is None:
                raise BadSettings(
                    f"{name} is no key of webhooks",
                    names=(name,),
                    hint="write whsec_ and the base64 of 24 to 64 random bytes",
                )
        return self

    @model_validator(mode="after")
    def _networks_are_some(self) -> Self:
        for text in self.webhook_networks:
            try:
                ipaddress.ip_network(text)
            except ValueError as error:
                raise BadSettings(
                    f"jobs.webhook_networks: {error}",
                    names=("jobs.webhook_networks",),
                    hint="write networks such as 10.20.0.0/16 or fd00:1::/64",
                ) from error
        return self

    @model_validator(mode="after")
    def _links_begin_with_a_url(self) -> Self:
        parts = urlsplit(self.webhook_links)
        if self.webhook_links and not (parts.scheme in ("http", "https") and parts.netloc):
            raise BadSettings(
                f"jobs.webhook_links is {self.webhook_links!r}",
                names=("jobs.webhook_links",),
                hint="write the URL of the gateway, such as https://images.example.com",
            )
        return self

    def key_for(self, tenant: str) -> bytes | None:
        """Return what the webhooks of a tenant are signed with; None: it has none."""
        own = (one.secret for one in self.webhook_secrets if one.tenant == tenant)
        return key_of(next(own, self.webhook_secret))


def key_of(secret: SecretStr) -> bytes | None:
    """Return the key that a secret says; None: it says none."""
    text = secret.get_secret_value()
    if not text.startswith(SECRET_PREFIX):
        return None
    try:
        key = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if _SECRET_BYTES_MIN <= len(key) <= _SECRET_BYTES_MAX else None
