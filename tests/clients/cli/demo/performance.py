# SPDX-License-Identifier: Apache-2.0
"""The demo against the fake server, in this process."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tabard.cli.demo.demo import perform
from tabard.cli.demo.folder import claim
from tabard.cli.demo.proof import Proof
from tabard.cli.output import Output
from tests.clients.fakes.server import FakeServer


def performed(server: FakeServer, adapters: Path, out: Path) -> tuple[Proof, Any]:
    """Perform the demo against the fake server; return what it proves and its summary."""

    @contextmanager
    def running(folder: Path) -> Iterator[str]:
        yield server.address

    return perform(
        claim(out),
        adapters=adapters,
        seed=7,
        output=Output(is_json=True),
        start_server=running,
    )
