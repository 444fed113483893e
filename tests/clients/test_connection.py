# SPDX-License-Identifier: Apache-2.0
"""Where a client goes, and as whom."""

from pathlib import Path
from typing import Any

import pytest

import tabard
from tabard.access.profiles import Profile, write_profiles
from tabard.connection import DEFAULT_ADDRESS, Connection, find_connection
from tests.clients.fakes.authority import Authority

SECRET = "tabard_01234567_0123456789ab_5ec2e7"
FAR = "styles.example:1"


def test_environment_fills_the_gaps() -> None:
    """Address, token and actor come from the environment when not given."""
    environ = {"TABARD_ADDRESS": "localhost:1", "TABARD_TOKEN": "t", "TABARD_ACTOR": "carol"}

    found = find_connection(environ=environ)
    given = find_connection(address="other:2", token="", actor="dave", environ=environ)

    assert (found.address, found.token, found.actor) == ("localhost:1", "t", "carol")
    assert (given.address, given.token, given.actor) == ("other:2", "", "dave")


def test_defaults_need_no_environment() -> None:
    """Out of the box the client talks to this machine, without a token."""
    found = find_connection(environ={})

    assert found.address == DEFAULT_ADDRESS == "127.0.0.1:50051"
    assert found.metadata == ()
    assert found.actor


def test_token_stays_out_of_repr() -> None:
    """A token printed by accident is a token lost."""
    connection = Connection(address="localhost:1", actor="a", token="secret")

    assert "secret" not in repr(connection)


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


@pytest.mark.parametrize(
    "address", ["127.0.0.1:1", "localhost:1", "[::1]:1", "unix:/a", f"grpcs://{FAR}"]
)
def test_token_goes_where_nobody_else_reads(address: str) -> None:
    """Over TLS, or never off this machine."""
    found = find_connection(address=address, token=SECRET, environ={})

    assert found.metadata == (("authorization", f"Bearer {SECRET}"),)


@pytest.mark.parametrize("address", [FAR, "127.evil.example:1", f"dns:///{FAR}"])
def test_token_is_not_sent_in_the_open(address: str) -> None:
    """Wherever it comes from, unless that is said to be wanted."""
    for said, environ in (
        ({"token": SECRET}, {}),
        ({}, {"TABARD_TOKEN": SECRET}),
    ):
        with pytest.raises(tabard.InvalidArgument) as caught:
            find_connection(address=address, environ=environ, **said)  # type: ignore[arg-type]
        error = caught.value
        assert (error.reason, SECRET in str(error)) == ("TOKEN_OVER_PLAIN", False)
        assert f"write grpcs://{address}" in error.hint

    assert find_connection(address=address, token=SECRET, insecure=True, environ={}).metadata
    assert find_connection(address=address, environ={}).metadata == ()


def test_token_of_a_file_is_read_before_every_call(tmp_path: Path) -> None:
    """Whoever puts a new one there is heard at once; without TLS it is not sent either."""
    file = tmp_path / "token"
    file.write_text("one\n")
    found = find_connection(environ={"TABARD_TOKEN_FILE": str(file)})

    first = found.metadata
    file.write_text("two\n")
    second = found.metadata
    file.unlink()

    assert [one[0][1] for one in (first, second)] == ["Bearer one", "Bearer two"]
    with pytest.raises(tabard.InvalidArgument, match="cannot be read"):
        _ = found.metadata


def test_token_file_is_not_sent_in_the_open(tmp_path: Path) -> None:
    """A file makes no difference."""
    (tmp_path / "token").write_text(SECRET)

    with pytest.raises(tabard.InvalidArgument) as caught:
        find_connection(address=FAR, token_file=tmp_path / "token", environ={})

    assert caught.value.reason == "TOKEN_OVER_PLAIN"


@pytest.mark.parametrize(
    ("said", "environ", "token"),
    [
        ({}, {"TABARD_TOKEN": "a", "TABARD_TOKEN_FILE": "FILE"}, "a"),
        ({}, {"TABARD_TOKEN": "", "TABARD_TOKEN_FILE": "FILE"}, "filed"),
        ({"token_file": "FILE"}, {"TABARD_TOKEN": "a"}, "filed"),
        ({"token": "b"}, {"TABARD_TOKEN": "a", "TABARD_TOKEN_FILE": "FILE"}, "b"),
        ({"token": ""}, {"TABARD_TOKEN": "a", "TABARD_TOKEN_FILE": "FILE"}, ""),
    ],
)
def test_nearest_token_is_meant(
    tmp_path: Path, said: dict[str, str], environ: dict[str, str], token: str
) -> None:
    """An argument before a variable, and the token itself before a file."""
    file = tmp_path / "token"
    file.write_text("filed")
    access: Any = {name: value.replace("FILE", str(file)) for name, value in said.items()}
    variables = {name: value.replace("FILE", str(file)) for name, value in environ.items()}

    assert find_connection(environ=variables, **access).token == token


def test_two_tokens_are_refused(tmp_path: Path) -> None:
    """Nobody could say which is meant."""
    with pytest.raises(tabard.InvalidArgument) as caught:
        find_connection(token="a", token_file=tmp_path / "b", environ={})

    assert caught.value.reason == "TOKEN_TWICE"


def test_broken_token_names_who_says_it() -> None:
    """A variable with a line break is a wrong variable."""
    with pytest.raises(tabard.Unauthenticated, match="the token of TABARD_TOKEN has a line break"):
        find_connection(environ={"TABARD_TOKEN": "a\n"})


@pytest.fixture
def profiles(tmp_path: Path, authority: Authority) -> dict[str, str]:
    """Keep two profiles; give the environment in which they are found."""
    kept = {
        "default": Profile(address="grpcs://default.example:1", token="default-token"),
        "staging": Profile(
            address="grpcs://staging.example:1", token="staging-token", tls_ca=str(authority.ca)
        ),
    }
    write_profiles(tmp_path / "tabard" / "config.toml", kept)
    return {"XDG_CONFIG_HOME": str(tmp_path)}


def test_default_profile_fills_the_gaps(profiles: dict[str, str]) -> None:
    """Where nobody says which server is meant; a variable is nearer."""
    found = find_connection(environ=profiles)
    varied = find_connection(environ=profiles | {"TABARD_TOKEN": "mine"})

    assert (found.address, found.token) == ("grpcs://default.example:1", "default-token")
    assert (varied.address, varied.token) == ("grpcs://default.example:1", "mine")


def test_variable_names_another_default(profiles: dict[str, str]) -> None:
    """It is used as `default` would be, and must be there."""
    staging = profiles | {"TABARD_PROFILE": "staging"}

    found = find_connection(environ=staging)
    elsewhere = find_connection(environ=staging | {"TABARD_ADDRESS": "localhost:1"})

    assert (found.address, found.token) == ("grpcs://staging.example:1", "staging-token")
    assert (elsewhere.address, elsewhere.token) == ("localhost:1", "")
    with pytest.raises(tabard.InvalidArgument) as caught:
        find_connection(environ=profiles | {"TABARD_PROFILE": "stagin"})
    assert caught.value.reason == "PROFILE_UNKNOWN"


@pytest.mark.parametrize("by_variable", [True, False])
def test_secret_of_a_profile_goes_to_its_server_alone(
    profiles: dict[str, str], by_variable: bool
) -> None:
    """Who names another server brings a token of it, or none."""
    said: Any = {} if by_variable else {"address": "grpcs://other.example:1"}
    variables = {"TABARD_ADDRESS": "grpcs://other.example:1"} if by_variable else {}

    found = find_connection(environ=profiles | variables, **said)

    assert (found.address, found.token) == ("grpcs://other.example:1", "")


def test_named_profile_stands_for_the_environment(
    profiles: dict[str, str], authority: Authority
) -> None:
    """No token of somebody else goes to its server."""
    variables = {"TABARD_ADDRESS": "a:1", "TABARD_TOKEN": "x", "TABARD_TLS_CA": "/none"}

    found = find_connection(profile="staging", environ=profiles | variables)
    own = find_connection(profile="staging", token="mine", environ=profiles)

    assert (found.address, found.token) == ("grpcs://staging.example:1", "staging-token")
    assert found.tls is not None and found.tls.ca_file == authority.ca
    assert own.token == "mine"


def test_profile_and_address_are_two_servers(profiles: dict[str, str]) -> None:
    """One of them is a mistake."""
    with pytest.raises(tabard.InvalidArgument) as caught:
        find_connection(profile="staging", address="a:1", environ=profiles)

    assert caught.value.reason == "PROFILE_AND_ADDRESS"


def test_certificates_without_tls_are_a_mistake(authority: Authority) -> None:
    """Whoever gives them thinks that they are used; a variable is for all servers."""
    pair = authority.sign("unused")
    for said in ({"tls_ca": authority.ca}, {"certificate": pair.files}):
        with pytest.raises(tabard.InvalidArgument) as caught:
            find_connection(address="localhost:1", environ={}, **said)  # type: ignore[arg-type]
        assert caught.value.reason == "TLS_NOT_ASKED_FOR"
        assert "write grpcs://localhost:1" in caught.value.hint

    environ = {"TABARD_TLS_CA": str(authority.ca)}
    assert find_connection(address="localhost:1", environ=environ).tls is None
    assert find_connection(address="grpcs://localhost:1", environ=environ).tls is not None


def test_base_that_is_said_goes_with_every_call() -> None:
    """A proxy finds it by its first digits; an argument is nearer than the variable."""
    environ = {"TABARD_ROUTE_BASE": "sha256:" + "ab" * 32}

    said = find_connection(base="0123456789abcd", environ=environ)
    found = find_connection(environ=environ)

    assert dict(said.metadata) == {"tabard-base": "0123456789ab"}
    assert dict(found.metadata) == {"tabard-base": "abababababab"}
    assert (said.caller().base, found.caller().base) == (
        "0123456789abcd",
        environ["TABARD_ROUTE_BASE"],
    )


@pytest.mark.parametrize("base", ["sdxl", "0123456789a", "sha256:", "g" * 12])
def test_base_that_is_none_is_refused(base: str) -> None:
    """Before anything is sent: it would go to any server."""
    with pytest.raises(tabard.InvalidArgument) as caught:
        find_connection(base=base, environ={})

    assert caught.value.reason == "BAD_BASE"
