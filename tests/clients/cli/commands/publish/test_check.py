# SPDX-License-Identifier: Apache-2.0
"""`tabard check` with a server: the report is the answer, and the exit code says it too."""

from pathlib import Path
from socket import socket

import pytest

from tabard import connection
from tabard.cli import exit_codes
from tests.clients.cli.conftest import Tabard
from tests.clients.fakes.server import FakeServer


def test_check_accepts_good_file(tabard: Tabard, style_file: Path) -> None:
    """Everything in the file would be applied."""
    ran = tabard("check", style_file)

    assert ran.code == 0
    assert "accepted: watercolor.safetensors" in ran.out
    assert "192 of 192" in ran.out


def test_check_refuses_bad_file(tabard: Tabard, refused_file: Path) -> None:
    """The report is the answer, as text and as JSON; the exit code says refused."""
    text = tabard("check", refused_file)
    ran = tabard("check", refused_file, "--json")

    assert (text.code, ran.code) == (4, 4)
    assert "problem UNKNOWN_KEYS: 2 keys fit no module of the base" in text.out
    assert "lora_unet_x.alpha" in text.out
    assert ran.document["problems"][0]["remedy"] == "train it on sd1"
    assert ran.document["files"] == [refused_file.name]


def test_check_asks_where_all_others_ask(
    tabard: Tabard, style_file: Path, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no server is named, the usual one is asked; without it, a base is what is missing."""
    monkeypatch.delenv("TABARD_ADDRESS")
    monkeypatch.setattr(connection, "DEFAULT_ADDRESS", server.address)
    asked = tabard("check", style_file)
    with socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        monkeypatch.setattr(connection, "DEFAULT_ADDRESS", f"127.0.0.1:{nobody.getsockname()[1]}")
        alone = tabard("check", style_file)
        monkeypatch.setenv("TABARD_ADDRESS", connection.DEFAULT_ADDRESS)
        named = tabard("check", style_file)

    assert (asked.code, "accepted" in asked.out) == (0, True)
    assert alone.code == named.code == exit_codes.BUSY
    assert "no server answers" in alone.err and "--base" in alone.err
    assert "no server answers" in named.err and "--base" not in named.err
