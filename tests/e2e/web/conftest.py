# SPDX-License-Identifier: Apache-2.0
"""A real server with styles, and a gateway in front of it, each a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tabard import Client
from tests.e2e.conftest import RunningServer, run_server


@contextmanager
def run_gateway(address: str, *options: str) -> Iterator[str]:
    """Run `tabard web` for the length of a block; give its address."""
    with run_gateway_process(address, *options) as (url, _process):
        yield url


@contextmanager
def run_gateway_process(
    address: str, *options: str, listen: str = "127.0.0.1:0"
) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """Run `tabard web` for the length of a block; give its address, and the process to kill."""
    command = [sys.executable, "-m", "tabard", "web", "--listen", listen, "--json"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TABARD_")}
    with subprocess.Popen(
        [*command, "--address", address, *options], env=environment, stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout is not None
            yield str(json.loads(process.stdout.readline())["address"]), process
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def styled_server(
    tiny_base: Path, tiny_files: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    """A server with `acme/ink`, `acme/pen`, `other/pen` and the embedding `acme/plum`."""
    with run_server(
        tmp_path_factory.mktemp("styled-server"), base=tiny_base, is_forked=True
    ) as server:
        files = ("acme/ink", "style0"), ("acme/pen", "style1"), ("other/pen", "style2")
        with Client(server.address) as client:
            for name, file in (*files, ("acme/plum", "plum")):
                client.publish(name, tiny_files[file], version="1.0.0")
                client.promote(f"{name}@1.0.0")
            client.promote("acme/ink@1.0.0", channel="beta")
        yield server


@pytest.fixture(scope="session")
def styled_client(styled_server: RunningServer) -> Iterator[Client]:
    with Client(styled_server.address) as client:
        yield client


@pytest.fixture(scope="session")
def gateway(styled_server: RunningServer) -> Iterator[str]:
    with run_gateway(styled_server.address) as url:
        yield url
