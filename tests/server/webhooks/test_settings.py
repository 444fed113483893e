# SPDX-License-Identifier: Apache-2.0
"""The settings of detached jobs: what makes no sense is refused by the name of the setting."""

import base64
import json
from typing import Any

import pytest
from pydantic import SecretStr

from tabard_server.errors import BadSettings
from tabard_server.settings_sources import explain_settings
from tabard_server.webhooks.settings import JobsSettings, WebhookSecret, key_of


def secret(number_of_bytes: int) -> str:
    return "whsec_" + base64.b64encode(b"k" * number_of_bytes).decode()


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ({"webhook_secret": SecretStr("short")}, "jobs.webhook_secret"),
        ({"webhook_secret": SecretStr(secret(23))}, "jobs.webhook_secret"),
        ({"webhook_secret": SecretStr("whsec_%%%")}, "jobs.webhook_secret"),
        (
            {"webhook_secrets": (WebhookSecret(tenant="a", secret=SecretStr("b")),)},
            "jobs.webhook_secrets",
        ),
        ({"webhook_networks": ("10.0.0.1/8",)}, "jobs.webhook_networks"),
        ({"webhook_networks": ("inside",)}, "jobs.webhook_networks"),
        ({"webhook_links": "images.example.com"}, "jobs.webhook_links"),
    ],
)
def test_nonsense_is_refused_by_name(said: dict[str, Any], name: str) -> None:
    """And a secret is not shown."""
    with pytest.raises(BadSettings) as refused:
        JobsSettings(**said)
    assert refused.value.names == (name,)
    assert "whsec_%" not in str(refused.value)


def test_tenant_has_its_own_key_or_the_servers() -> None:
    """Whoever has none is signed for with nothing."""
    own = WebhookSecret(tenant="studio", secret=SecretStr(secret(64)))
    both = JobsSettings(webhook_secret=SecretStr(secret(24)), webhook_secrets=(own,))

    assert both.key_for("studio") == b"k" * 64
    assert both.key_for("press") == b"k" * 24
    assert JobsSettings().key_for("press") is None
    assert key_of(SecretStr("")) is None


def test_secret_within_a_table_is_masked() -> None:
    """As one that stands alone is."""
    tables = json.dumps([{"tenant": "a", "secret": secret(32)}])
    said = {"TABARD_JOBS_WEBHOOK_SECRETS": tables}

    shown = explain_settings(environment=said)

    [found] = [one.value for one in shown if one.name == "jobs.webhook_secrets"]
    assert found == ({"tenant": "a", "secret": "**********"},)
