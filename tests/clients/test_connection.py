# SPDX-License-Identifier: Apache-2.0
"""Where a client goes, as whom, and what it loads to get there."""

import inspect
import subprocess
import sys
import tomllib
from dataclasses import is_dataclass

import pytest

import tabard
from tabard import operations, releases, result
from tabard.calls.generation import stack_key
from tabard.connection import DEFAULT_ADDRESS, Connection, find_connection
from tests.root import ROOT


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


@pytest.mark.parametrize("options", [{"address": " "}, {"timeout_seconds": 0.0}])
def test_unusable_connection_is_refused(options: dict[str, object]) -> None:
    """What can never work is refused at the door."""
    with pytest.raises(tabard.InvalidArgument):
        find_connection(environ={}, **options)  # type: ignore[arg-type]


def test_loopback_never_uses_proxy() -> None:
    """A proxy cannot reach this machine's loopback."""
    near = Connection(address="127.0.0.1:1", actor="a").options
    far = Connection(address="gpu.example:1", actor="a").options

    assert ("grpc.enable_http_proxy", 0) in near
    assert ("grpc.enable_http_proxy", 0) not in far


@pytest.mark.parametrize(
    ("adapters", "key"),
    [
        (["b/b", "a/a:0.5"], "a/a,b/b"),
        (["a/a@1.2.0:-1", "a/a@1.2.0:0.5"], "a/a@1.2.0"),
        (["a/a@sha256:abcdef012345"], "a/a@sha256:abcdef012345"),
        (["a/a@sha256:abcdef012345:0.5"], "a/a@sha256:abcdef012345"),
        (["a/é,"], "a/%C3%A9%2C"),
    ],
)
def test_stack_key_ignores_weights(adapters: list[str], key: str) -> None:
    """Requests that wear the same releases go to the same server."""
    assert stack_key(adapters) == key


def test_public_values_are_exported() -> None:
    """Whatever the SDK hands out can be named by its user."""
    values = {
        name
        for module in (operations, releases, result)
        for name, member in inspect.getmembers(module, inspect.isclass)
        if member.__module__ == module.__name__ and is_dataclass(member)
    }

    assert values <= set(tabard.__all__)
    assert all(hasattr(tabard, name) for name in tabard.__all__)


def test_version_is_the_package_version() -> None:
    """The SDK says the version that is built."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert tabard.__version__ == project["version"]


def test_import_stays_light() -> None:
    """Neither the SDK nor the command line loads torch, numpy or the server."""
    program = (
        "import sys, tabard, tabard.cli;"
        "heavy = {'torch', 'numpy', 'diffusers', 'tabard_server', 'tabard_registry'};"
        "print(sorted(heavy & set(sys.modules)))"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"
