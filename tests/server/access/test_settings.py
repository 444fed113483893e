# SPDX-License-Identifier: Apache-2.0
"""Who may reach a server, as its settings say it: what gives more than it should is refused."""

from pathlib import Path
from typing import Any

import pytest

from tabard_server.access.settings import (
    CertificateGrant,
    IdentitySettings,
    is_loopback,
    is_safe_url,
)
from tabard_server.errors import BadSettings
from tabard_server.settings import Settings
from tabard_server.settings_sources import load_settings

TLS = {"certificate": "/c.pem", "key": "/c.key"}
EVERYWHERE = {"listen": "0.0.0.0:50051"}


@pytest.mark.parametrize(
    ("said", "is_allowed"),
    [
        ({}, True),
        ({"listen": "unix:/run/tabard"}, True),
        (EVERYWHERE, False),
        (EVERYWHERE | {"identity": {"tokens": True}}, False),
        (EVERYWHERE | {"tls": TLS}, False),
        (EVERYWHERE | {"trusted_proxy": "the ingress"}, False),
        (EVERYWHERE | {"identity": {"tokens": True}, "trusted_proxy": " "}, False),
        (EVERYWHERE | {"identity": {"tokens": True}, "tls": TLS}, True),
        (EVERYWHERE | {"identity": {"tokens": True}, "trusted_proxy": "the ingress"}, True),
        (EVERYWHERE | {"insecure": True}, True),
        ({"metrics_listen": "[::]:9464"}, False),
        ({"metrics_listen": "[::]:9464", "identity": {"tokens": True}, "tls": TLS}, True),
        ({"operators_listen": "0.0.0.0:50052", "identity": {"tokens": True}}, False),
    ],
)
def test_address_that_others_reach(said: dict[str, Any], is_allowed: bool) -> None:
    """Identity and encryption, or the words that give them up; loopback needs neither."""
    if is_allowed:
        assert Settings(**said)
        return
    with pytest.raises(BadSettings) as refused:
        Settings(**said)
    assert refused.value.reason == "INSECURE_LISTEN"
    assert "insecure" in refused.value.hint


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ('[tls]\ncertificate = "/c.pem"', "tls.certificate"),
        ('[tls]\nclient_ca = "/ca.pem"', "tls.client_ca"),
        ('[identity]\njwt_issuer = "https://a.example"', "identity.jwt_issuer"),
        (
            '[identity]\njwt_issuer = "http://a.example"\njwt_audience = "t"',
            "identity.jwt_issuer",
        ),
        (
            '[[identity.jwt_grants]]\nclaim = "g"\nvalue = "v"\nnamespace = "a"\nroles = ["admin"]',
            "identity.jwt_grants",
        ),
        (
            '[[identity.certificate_grants]]\ncertificate = "cn:a"\nnamespace = "a"\n'
            'roles = ["admin"]',
            "identity.certificate_grants",
        ),
        (
            '[[identity.certificate_grants]]\ncertificate = "ann"\nnamespace = "a"\n'
            'roles = ["admin"]',
            "identity.certificate_grants",
        ),
        (
            '[[identity.certificate_grants]]\ncertificate = "cn:*ann"\nnamespace = "a"\n'
            'roles = ["admin"]',
            "identity.certificate_grants",
        ),
        (
            '[[identity.certificate_grants]]\ncertificate = "cn:a"\nnamespace = "a b"\n'
            'roles = ["admin"]',
            "identity.certificate_grants",
        ),
        (
            '[[identity.certificate_grants]]\ncertificate = "cn:a"\nnamespace = "a"\n'
            'roles = ["owner"]',
            "identity.certificate_grants",
        ),
        (
            '[[identity.certificate_grants]]\ncertificate = "cn:a"\nnamespace = "a"\nroles = []',
            "identity.certificate_grants",
        ),
        ('[identity]\ntokens = "perhaps"', "identity.tokens"),
        ("[identity]\ntoken = true", "identity.token"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path: Path, said: str, named: str) -> None:
    """Half an issuer, a name without its kind, an unknown role: named, and never passed over."""
    file = tmp_path / "tabard.toml"
    file.write_text(said)

    with pytest.raises(BadSettings) as refused:
        load_settings(file=file)

    assert refused.value.names[0] == named
    assert refused.value.hint


@pytest.mark.parametrize(
    ("roles", "what", "hint"),
    [
        ('["publsh"]', "table 1, roles is 'publsh'", "did you mean publish?"),
        ("[]", "table 1, roles is []", "write a list of one or more of generate, publish"),
        (
            '"publish"',
            "table 1, roles is wrong",
            "write a list of one or more of generate, publish",
        ),
    ],
)
def test_wrong_role_is_told_with_the_roles(
    tmp_path: Path, roles: str, what: str, hint: str
) -> None:
    """The word that is wrong, and not that its list is empty without it."""
    file = tmp_path / "tabard.toml"
    rule = f'claim = "g"\nvalue = "v"\nnamespace = "a"\nroles = {roles}\n'
    file.write_text(f"[[identity.jwt_grants]]\n{rule}[[identity.jwt_grants]]\n{rule}")

    with pytest.raises(BadSettings) as refused:
        load_settings(file=file)

    assert what in str(refused.value) and "table 2" in str(refused.value)
    assert hint in refused.value.hint


def test_rules_are_tables_or_json(tmp_path: Path) -> None:
    """The same rules in a file and in a variable."""
    file = tmp_path / "tabard.toml"
    file.write_text(
        '[identity]\njwt_issuer = "https://a.example"\njwt_audience = "t"\n'
        '[[identity.jwt_grants]]\nclaim = "g"\nvalue = "v"\nnamespace = "a"\nroles = ["promote"]\n'
    )
    rule = '{"claim": "g", "value": "v", "namespace": "a", "roles": ["promote"]}'
    environment = {
        "TABARD_IDENTITY_JWT_ISSUER": "https://a.example",
        "TABARD_IDENTITY_JWT_AUDIENCE": "t",
        "TABARD_IDENTITY_JWT_GRANTS": f"[{rule}]",
    }

    by_file = load_settings(file=file).identity

    assert by_file == load_settings(environment=environment).identity
    assert by_file.is_on
    with pytest.raises(BadSettings, match=r"identity\.jwt_grants"):
        load_settings(environment=environment | {"TABARD_IDENTITY_JWT_GRANTS": "g=v"})


def test_addresses_and_urls() -> None:
    """Which of them only this machine, or only their owner, answers on."""
    assert [
        is_loopback(one)
        for one in ("127.0.0.1:1", "localhost:1", "[::1]:1", "unix:/x", "0.0.0.0:1", "[::]:1")
    ] == [True, True, True, True, False, False]
    assert [
        is_safe_url(one)
        for one in ("https://a.example", "http://127.0.0.1:1", "http://a.example", "file:///x", "x")
    ] == [True, True, False, False, False]


def test_ways_are_named() -> None:
    """Those that are switched on, and no other."""
    grant = CertificateGrant(certificate="cn:x", namespace="*", roles=("generate",))

    assert IdentitySettings().ways == ()
    assert IdentitySettings(tokens=True, certificate_grants=(grant,)).ways == (
        "tokens",
        "certificates",
    )
    issuer = IdentitySettings(jwt_issuer="https://id.example", jwt_audience="tabard")
    assert issuer.ways == ("jwt",)
