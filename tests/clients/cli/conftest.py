# SPDX-License-Identifier: Apache-2.0
"""The command line against the fake server, in this process: exit code, stdout, stderr."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from livery.cli import run
from tests.clients.fakes import FakeServer


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What one command line did."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)


Livery = Callable[..., Ran]


@pytest.fixture
def livery(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Livery:
    """Give `livery(*arguments)`, with the fake server's address in the environment."""
    monkeypatch.setenv("LIVERY_ADDRESS", server.address)
    monkeypatch.setenv("LIVERY_ACTOR", "alice")
    monkeypatch.delenv("LIVERY_TOKEN", raising=False)

    def invoke(*arguments: object) -> Ran:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Ran(code=code, out=captured.out, err=captured.err)

    return invoke


@pytest.fixture
def published(livery: Livery, style_file: object, other_file: object) -> Livery:
    """Publish two releases of acme/watercolor, promote both in turn, and give the command line."""
    for version, file in (("1.0.0", style_file), ("1.1.0", other_file)):
        assert livery("publish", "acme/watercolor", file, "--version", version).code == 0
        assert livery("promote", f"acme/watercolor@{version}").code == 0
    return livery
