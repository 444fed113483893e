# SPDX-License-Identifier: Apache-2.0
"""The tree of settings: frozen values, each with its meaning; no address that others can reach."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from tabard_server.access.settings import (
    CertificateGrant,
    ClaimGrant,
    IdentitySettings,
    TlsSettings,
)
from tabard_server.c2pa.settings import C2paSettings
from tabard_server.encoders.settings import EncoderSettings
from tabard_server.errors import BadSettings
from tabard_server.judgement.verdict import GatePolicy
from tabard_server.limits import Limits, TenantLimits
from tabard_server.safety.settings import SafetyLabel, SafetySettings
from tabard_server.settings import Defaults, Settings, TelemetrySettings
from tabard_server.settings_sources import load_settings
from tabard_server.webhooks.settings import JobPlace, JobsSettings, WebhookSecret

SECTIONS = (
    *(Settings, Limits, Defaults, IdentitySettings, TlsSettings),
    *(ClaimGrant, CertificateGrant, TelemetrySettings, EncoderSettings, GatePolicy),
    *(JobsSettings, JobPlace, WebhookSecret),
    *(C2paSettings, SafetySettings, SafetyLabel),
)
NESTED = {
    *("limits", "defaults", "evaluation", "identity", "tls", "telemetry"),
    *("jobs", "c2pa", "safety"),
}
MEANINGS = [
    (f"{section.__name__}.{name}", field.description)
    for section in SECTIONS
    for name, field in section.model_fields.items()
    if name not in NESTED
]


@pytest.mark.parametrize(("name", "meaning"), MEANINGS)
def test_every_setting_has_a_meaning(name: str, meaning: str | None) -> None:
    """The text below each field is what `tabard config` tells of it."""
    assert meaning, name
    assert meaning.endswith((".", "…"))


@pytest.mark.parametrize(
    "tree",
    [
        *(Settings(), Limits(), Defaults(), IdentitySettings(), TlsSettings()),
        *(TelemetrySettings(), GatePolicy(), C2paSettings(), SafetySettings()),
    ],
    ids=lambda one: repr(type(one)),
)
def test_tree_is_frozen_and_closed(tree: BaseModel) -> None:
    """Nobody changes a value, and nobody adds one."""
    name = next(iter(type(tree).model_fields))

    with pytest.raises(ValidationError, match="frozen"):
        setattr(tree, name, getattr(tree, name))
    with pytest.raises(ValidationError, match="not permitted"):
        type(tree)(colour="red")


def test_environment_does_not_leak_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tree is made of what it is given: the process's variables are a source like another."""
    monkeypatch.setenv("TABARD_BASE", "from-environment")
    monkeypatch.setenv("BASE", "from-environment")

    assert Settings().base == "demo"


@pytest.mark.parametrize("address", ["127.0.0.1:0", "localhost:1", "[::1]:2", "unix:/run/x.sock"])
def test_loopback_needs_no_word(address: str) -> None:
    """Loopback and sockets are fine as they are."""
    assert Settings(listen=address).listen == address


@pytest.mark.parametrize("path", ["", "/" + 107 * "x"])
@pytest.mark.parametrize("name", ["listen", "operators_listen"])
def test_socket_without_a_path_is_refused(path: str, name: str) -> None:
    """And one with a path that no system takes."""
    with pytest.raises(BadSettings, match=name):
        Settings(**{name: f"unix:{path}"})


def test_metrics_are_on_no_socket() -> None:
    """Nothing could read them there."""
    with pytest.raises(BadSettings, match="metrics_listen"):
        Settings(metrics_listen="unix:/run/x.sock")


@pytest.mark.parametrize("address", ["0.0.0.0:50051", "[::]:50051", "10.1.2.3:0", "example.com:1"])
@pytest.mark.parametrize("name", ["listen", "metrics_listen", "operators_listen"])
def test_open_address_needs_insecure(address: str, name: str) -> None:
    """What others can reach is refused unless it is said to be meant."""
    with pytest.raises(BadSettings) as refusal:
        Settings(**{name: address})

    assert refusal.value.reason == "INSECURE_LISTEN"
    assert "insecure" in refusal.value.hint
    assert ("publish" in str(refusal.value)) == (name != "metrics_listen")
    assert Settings(**{name: address, "insecure": True})


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"limits": {"steps_max": 60}, "defaults": {"steps": 200}}, "60 or less"),
        ({"limits": {"steps_max": 24}}, "raise limits.steps_max"),
        ({"defaults": {"guidance_scale": 50.5}}, "50 or less"),
        ({"limits": {"guidance_scale_max": 5.0}}, "raise limits.guidance_scale_max"),
        ({"defaults": {"sampler": "nope"}}, "choose one of: ddim"),
        ({"defaults": {"sampler": "eular"}}, "did you mean euler?"),
        ({"defaults": {"sampler": "DPM fast"}}, "take dpmpp_2m"),
    ],
)
def test_default_that_nobody_would_be_served_is_refused(said: Any, words: str) -> None:
    """Else every request that says nothing would be refused for what its caller never gave."""
    with pytest.raises(BadSettings) as refusal:
        Settings(**said)

    assert refusal.value.names[0].startswith("defaults.")
    assert words in refusal.value.hint


def test_default_at_its_limit_is_fine() -> None:
    """And a sampler is named in any spelling that a request may use."""
    settings = Settings(
        limits={"steps_max": 9, "guidance_scale_max": 2.0},
        defaults={"steps": 9, "guidance_scale": 2.0, "sampler": "DPM++ 2M Karras"},
    )

    assert settings.defaults.steps == settings.limits.steps_max


def test_default_guidance_is_no_less_than_nothing() -> None:
    """As in a request."""
    with pytest.raises(ValidationError, match="guidance_scale"):
        Defaults(guidance_scale=-1.0)


@pytest.mark.parametrize(
    "url", ["collector:4317", "ftp://x:1", "http://x", "http://:1", "http://["]
)
def test_endpoint_of_traces_is_a_url(url: str) -> None:
    """A typing error shows at the start, not by traces that never come."""
    with pytest.raises(BadSettings, match="otlp_endpoint"):
        TelemetrySettings(otlp_endpoint=url)


@pytest.mark.parametrize("url", ["", "http://127.0.0.1:4317", "https://collector.example:4317"])
def test_traces_go_where_they_are_sent(url: str) -> None:
    """Or nowhere."""
    assert TelemetrySettings(otlp_endpoint=url).otlp_endpoint == url


def test_tenants_are_an_array_of_tables(tmp_path: Path) -> None:
    """In a file as TOML has them, in a variable as JSON."""
    file = tmp_path / "tabard.toml"
    file.write_text('[[tenants]]\nname = "studio"\nweight = 2.0\n')
    [of_file] = load_settings(file=file).tenants
    [of_variable] = load_settings(
        environment={"TABARD_TENANTS": '[{"name": "studio", "weight": 2.0}]'}
    ).tenants

    assert of_file == of_variable == TenantLimits(name="studio", weight=2.0)


@pytest.mark.parametrize(
    "text",
    [
        '[{"name": "a"}, {"name": "a"}]',
        '[{"name": "a", "wait": 1}]',
        '[{"name": "a", "weight": 0}]',
    ],
)
def test_wrong_tenant_is_refused_by_setting(text: str) -> None:
    """Said twice, with a bound that there is not, or with one that is none."""
    with pytest.raises(BadSettings) as refusal:
        load_settings(environment={"TABARD_TENANTS": text})

    assert refusal.value.names == ("tenants",)
