# SPDX-License-Identifier: Apache-2.0
"""Real servers in processes of their own, on ports the system gives, each with its registry."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tabard import Client
from tabard_server.engine.base.place import DEMO_BASE
from tests.bases import make_tiny_base, write_diffusers_lora, write_inversion, write_kohya_lora
from tests.e2e.nursery import Forked, nursery
from tests.oracle import Oracle
from tests.waiting.processes import await_process, log_in_failure, log_tail

DEMO_ADAPTERS = DEMO_BASE.parent / "adapters"


@dataclass(frozen=True, kw_only=True)
class RunningServer:
    """A server process and where to reach it."""

    address: str
    metrics_address: str
    process: subprocess.Popen[bytes] | Forked
    registry: Path
    log: Path


@contextmanager
def run_server(
    folder: Path,
    *,
    base: Path,
    module: str = "tabard_server",
    variables: Mapping[str, str] | None = None,
    is_forked: bool = False,
    **settings: object,
) -> Iterator[RunningServer]:
    """Run `python -m tabard_server` on a folder's registry for the length of a `with` block.

    `variables` are those of its environment beside this one's. One that is
    forked has its libraries imported; a fresh one starts as users' do.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ready, log = folder / f"ready-{time.monotonic_ns()}.json", folder / "server.log"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TABARD_")}
    said = {
        "listen": "127.0.0.1:0",
        "metrics_listen": "127.0.0.1:0",
        "registry": (folder / "registry").as_uri(),
        "base": str(base),
        "device": "cpu",
        "dtype": "float32",
        "ready_file": str(ready),
        **settings,
    }
    environment |= {f"TABARD_{name.upper()}": str(value) for name, value in said.items()}
    environment |= variables or {}
    process: subprocess.Popen[bytes] | Forked
    if is_forked:
        process = nursery().fork(module, environment=environment, log=log)
    else:
        with log.open("ab") as sink:
            command = [sys.executable, "-m", module]
            process = subprocess.Popen(command, env=environment, stdout=sink, stderr=sink)
    try:
        await_process(process, ready.exists, log=log, what="the server did not start")
        told = json.loads(ready.read_text())
        with log_in_failure(log):
            yield RunningServer(
                address=told["address"],
                metrics_address=told["metrics_address"],
                process=process,
                registry=folder / "registry",
                log=log,
            )
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(autouse=True)
def _logs_of_servers(request: pytest.FixtureRequest) -> Iterator[None]:
    """What servers that tests share have said is shown when a test fails."""
    names = [name for name in request.fixturenames if name not in ("request", "_logs_of_servers")]
    values = [request.getfixturevalue(name) for name in names]
    yield
    for server in values:
        if isinstance(server, RunningServer):
            request.node.add_report_section("teardown", "server log", log_tail(server.log))


@pytest.fixture(scope="session")
def demo_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server on the demo base."""
    with run_server(
        tmp_path_factory.mktemp("demo-server"), base=DEMO_BASE, is_forked=True
    ) as server:
        yield server


@pytest.fixture(scope="session")
def demo_client(demo_server: RunningServer) -> Iterator[Client]:
    with Client(demo_server.address) as client:
        yield client


@pytest.fixture(scope="session")
def demo_oracle() -> Oracle:
    return Oracle(DEMO_BASE)


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_base(tmp_path_factory.mktemp("tiny-base") / "tiny")


@pytest.fixture(scope="session")
def tiny_server(
    tiny_base: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    """A server on a base of toy width, where an image takes milliseconds."""
    with run_server(
        tmp_path_factory.mktemp("tiny-server"), base=tiny_base, is_forked=True
    ) as server:
        yield server


@pytest.fixture(scope="session")
def tiny_client(tiny_server: RunningServer) -> Iterator[Client]:
    with Client(tiny_server.address) as client:
        yield client


@pytest.fixture(scope="session")
def tiny_oracle(tiny_base: Path) -> Oracle:
    return Oracle(tiny_base)


@pytest.fixture(scope="session")
def tiny_files(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Adapter files for the tiny base, each of another look."""
    folder = tmp_path_factory.mktemp("tiny-files")
    files = {
        f"style{number}": write_diffusers_lora(
            tiny_base, folder / f"style{number}.safetensors", seed=number, text_targets=("q_proj",)
        )
        for number in range(4)
    }
    files["kohya"] = write_kohya_lora(
        tiny_base, folder / "kohya.safetensors", seed=9, rank=6, alphas=(3.0, 1.0)
    )
    files["plum"] = write_inversion(
        folder / "plum.safetensors", token="<plum>", width=32, vectors=2, seed=5
    )
    return files
