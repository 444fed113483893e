# SPDX-License-Identifier: Apache-2.0
"""Where a client goes, and as whom."""

import pytest

import tabard
from tabard.connection import DEFAULT_ADDRESS, Connection, find_connection


def test_environment_fills_the_gaps() -> None:
    """Address, token and actor come from the environment when not given."""
    environ = {"TABARD_ADDRESS": "host:1", "TABARD_TOKEN": "t", "TABARD_ACTOR": "carol"}

    found = find_connection(environ=environ)
    given = find_connection(address="other:2", token="", actor="dave", environ=environ)

    assert (found.address, found.token, found.actor) == ("host:1", "t", "carol")
    assert (given.address, given.token, given.actor) == ("other:2", "", "dave")


def test_defaults_need_no_environment() -> None:
    """Out of the box the client talks to this machine, without a token."""
    found = find_connection(environ={})

    assert found.address == DEFAULT_ADDRESS == "127.0.0.1:50051"
    assert found.metadata == ()
    assert found.actor


def test_token_stays_out_of_repr() -> None:
    """A token printed by accident is a token lost."""
    connection = Connection(address="a:1", actor="a", token="secret")

    assert "secret" not in repr(connection)


@pytest.mark.parametrize("address", ["host", "127.0.0.1", "host:0", "127.0.0.1:99999"])
def test_address_without_a_port_says_how(address: str) -> None:
    """GRPC would take 443, or find nobody there."""
    with pytest.raises(tabard.InvalidArgument) as caught:
        Connection(address=address, actor="a")

    assert caught.value.reason == "BAD_ADDRESS"
    assert f"{address.partition(':')[0]}:50051" in caught.value.hint


@pytest.mark.parametrize("address", ["host:1", "unix:/a/b", "unix:a", "[::1]:1", "dns:///host:1"])
def test_every_target_of_grpc_is_taken(address: str) -> None:
    """Sockets and schemes have no port of their own, or say it elsewhere."""
    assert Connection(address=address, actor="a").address == address


@pytest.mark.parametrize("options", [{"address": " "}, {"timeout_seconds": 0.0}])
def test_unusable_connection_is_refused(options: dict[str, object]) -> None:
    """What can never work is refused at the door."""
    with pytest.raises(tabard.InvalidArgument):
        find_connection(environ={}, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "options",
    [
        {"address": 5},
        {"address": b"host:1"},
        {"token": 5},
        {"actor": 5},
        {"timeout_seconds": "5"},
        {"patience_seconds": "5"},
    ],
    ids=str,
)
def test_value_of_another_type_is_named(options: dict[str, object]) -> None:
    """By the name of the parameter; not by what fails later on its account."""
    ((name, value),) = options.items()

    with pytest.raises(TypeError) as caught:
        tabard.Client(**options)  # type: ignore[arg-type]

    told = str(caught.value)
    assert name.removesuffix("_seconds") in told
    assert type(value).__name__ in told or repr(value) in told


def test_loopback_never_uses_proxy() -> None:
    """A proxy cannot reach this machine's loopback."""
    near = Connection(address="127.0.0.1:1", actor="a").options
    far = Connection(address="gpu.example:1", actor="a").options

    assert ("grpc.enable_http_proxy", 0) in near
    assert ("grpc.enable_http_proxy", 0) not in far
