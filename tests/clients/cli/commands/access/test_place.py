# SPDX-License-Identifier: Apache-2.0
"""Where tokens and policies are kept: at the server that is named, or on a registry here."""

from pathlib import Path

import pytest

from tabard_registry import Registry
from tests.clients.cli.conftest import Tabard
from tests.clients.fakes.server import FakeServer

CREATE = ("token", "create", "ci", "--role", "publish", "--namespace", "acme", "--json")


def test_server_is_asked_when_one_is_named(
    tabard: Tabard, server: FakeServer, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where a variable names a registry."""
    monkeypatch.setenv("TABARD_REGISTRY", str(place))

    tabard(*CREATE)

    assert [one.name for one in server.state.tokens] == ["ci"]
    assert Registry.open(str(place)).tokens() == ()


def test_registry_of_the_option_is_meant(tabard: Tabard, server: FakeServer, place: Path) -> None:
    """Even where a variable names a server."""
    tabard(*CREATE, "--registry", place)

    assert [one.name for one in Registry.open(str(place)).tokens()] == ["ci"]
    assert server.state.tokens == []


def test_registry_of_the_variable_is_meant_without_a_server(
    tabard: Tabard, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As everywhere."""
    monkeypatch.setenv("TABARD_REGISTRY", str(place))
    monkeypatch.delenv("TABARD_ADDRESS")

    assert tabard(*CREATE).code == 0
    assert [one.name for one in Registry.open(str(place)).tokens()] == ["ci"]
