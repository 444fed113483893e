# SPDX-License-Identifier: Apache-2.0
"""The page of a demo: a real gateway before a server, until Ctrl-C, and gone after it."""

import contextlib
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tabard.cli.demo import page
from tabard.cli.demo.page import require_page, show_page
from tabard.cli.output import Output
from tabard.errors import FailedPrecondition, Unavailable
from tests.clients.fakes.server import FakeServer


@contextlib.contextmanager
def served(server: FakeServer) -> Iterator[str]:
    """Stand for the demo's own server."""
    yield server.address


def test_page_runs_until_interrupted(
    server: FakeServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says where, and opens it; it does not end as a failure, and leaves no process behind."""
    seen: list[str] = []

    def look(url: str) -> None:
        with urllib.request.urlopen(url) as answer:
            seen.append(answer.read().decode())
        seen.append(url)
        raise KeyboardInterrupt

    show_page(
        tmp_path,
        output=Output(is_json=False),
        start_server=lambda _folder: served(server),
        browse=look,
    )

    text, url = seen
    assert "<title>Tabard" in text
    assert url in capsys.readouterr().err
    with pytest.raises(OSError):
        urllib.request.urlopen(url)


def test_gateway_that_ends_is_told(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for a page that will not come."""
    monkeypatch.setattr(page.sys, "executable", "/bin/false")

    with pytest.raises(Unavailable) as caught:
        show_page(
            tmp_path, output=Output(is_json=False), start_server=lambda _folder: served(server)
        )

    assert caught.value.reason == "DEMO_SERVER_ENDED"


def test_missing_extra_is_told_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a demo is run that nobody could look at."""

    def missing(name: str) -> None:
        raise ModuleNotFoundError("No module named 'uvicorn'", name="uvicorn")

    monkeypatch.setattr(page.importlib, "import_module", missing)

    with pytest.raises(FailedPrecondition) as caught:
        require_page()

    assert "uvicorn" in str(caught.value)
    assert "[web]" in caught.value.hint
