# SPDX-License-Identifier: Apache-2.0
"""`tabard web`: what it is told before anybody is served."""

import socket
import sys

import pytest

from tests.clients.cli.conftest import Tabard


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--listen", "8080"], "BAD_ADDRESS"),
        (["--listen", "0.0.0.0:0"], "INSECURE_LISTEN"),
        (["--address", "http://a:1"], "BAD_ADDRESS"),
        (["--set", "nonsense=1"], "BAD_SETTINGS"),
        (["--tls-ca", "ca.pem"], "TLS_NOT_ASKED_FOR"),
    ],
)
def test_what_cannot_be_is_refused_at_once(tabard: Tabard, options: list[str], reason: str) -> None:
    """With the reason that others have for it."""
    ran = tabard("web", *options)

    assert ran.code == 4
    assert f"reason: {reason}" in ran.err


def test_taken_address_is_told(tabard: Tabard) -> None:
    """Nothing else is told, least of all that it listens."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        ran = tabard("web", "--listen", f"127.0.0.1:{other.getsockname()[1]}")

    assert (ran.code, ran.out) == (4, "")
    assert "reason: ADDRESS_NOT_AVAILABLE" in ran.err


def test_missing_extra_is_named(tabard: Tabard, monkeypatch: pytest.MonkeyPatch) -> None:
    """A base install says what to install."""
    monkeypatch.setitem(sys.modules, "tabard_web.app", None)

    ran = tabard("web")

    assert ran.code == 5
    assert "pip install 'tabard[web]'" in ran.err
