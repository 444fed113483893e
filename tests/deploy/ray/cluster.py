# SPDX-License-Identifier: Apache-2.0
"""A Ray of this machine alone, with Serve behind HAProxy, and whatever it leaves behind ended.

In: a folder. Out: how the application is deployed, reached, and what its processes are. Ends only
processes that it started.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tabard import Client
from tests.root import ROOT

T = TypeVar("T")

PATIENCE_SECONDS = 600.0
"""Replicas import torch each, on whatever machine this is."""
_SOURCES = ("deploy/ray", "clients/python", "clients/web", "registry", "server")


@dataclass(kw_only=True)
class Cluster:
    """A running Ray.

    Attributes:
        address: Where callers come in: HAProxy's gRPC port.
        folder: Of everything that is written.
        arguments: What the application was told last.
    """

    address: str
    folder: Path
    arguments: dict[str, Any] = field(default_factory=dict)

    def client(self) -> Client:
        """Connect to HAProxy."""
        return Client(self.address, patience_seconds=PATIENCE_SECONDS)

    def deploy(self, *, settings: dict[str, Any] | None = None, **more: Any) -> None:
        """Deploy the application, or change what it was told; by default with two replicas."""
        from ray import serve  # noqa: PLC0415 - only here is Ray needed
        from tabard_ray.application import build  # noqa: PLC0415

        told = {
            "registry": (self.folder / "registry").as_uri(),
            "base": "demo",
            "device": "cpu",
            "dtype": "float32",
            "cache": str(self.folder / "cache"),
            "log_level": "warning",
        }
        self.arguments = {
            "settings": told | (settings or {}),
            "gpus_per_replica": 0.0,
            "replicas_min": 2,
            "replicas_max": 2,
            "on_one_machine": True,
            **more,
        }
        application = build(self.arguments)
        # Its own patience of a minute is too little where others use the machine.
        # Without a route HAProxy is told of no application, for gRPC neither.
        with contextlib.suppress(TimeoutError):
            serve.run(application, name="tabard", route_prefix="/")
        fewest = self.arguments["replicas_min"]
        await_true(lambda: self.running() >= fewest, what=f"{fewest} replicas")

    def replicas(self) -> list[int]:
        """Return the process ids of all replicas."""
        return [
            process
            for process in _descendants(os.getpid())
            if _command(process).startswith("ray::ServeReplica:tabard")
        ]

    def running(self) -> int:
        """Return how many replicas Ray says are running."""
        from ray import serve  # noqa: PLC0415

        applications = serve.status().applications
        if "tabard" not in applications:
            return 0
        return int(applications["tabard"].deployments["tabard"].replica_states.get("RUNNING", 0))


def await_true(found: Callable[[], T], *, what: str, seconds: float = PATIENCE_SECONDS) -> T:
    """Wait until something is found, and return it."""
    until = time.monotonic() + seconds
    while not (one := found()):
        assert time.monotonic() < until, f"{what}: not within {seconds:g} s"
        time.sleep(0.2)
    return one


@contextmanager
def running_cluster(folder: Path) -> Iterator[Cluster]:
    """Run Ray and Serve in HAProxy mode for the length of a `with` block."""
    # Sockets have short names, and pytest's folders long ones.
    short = Path(tempfile.mkdtemp(prefix="tabard-ray-"))
    os.environ.update(_environment(short))
    import ray  # noqa: PLC0415 - it reads the environment as it is imported
    from ray import serve  # noqa: PLC0415
    from ray.serve.config import HTTPOptions, gRPCOptions  # noqa: PLC0415

    port = _free_port()
    ray.init(
        num_cpus=3,
        num_gpus=0,
        include_dashboard=False,
        object_store_memory=100 << 20,
        _temp_dir=str(short / "ray"),
    )
    try:
        # Its own patience of a minute is too little where others use the machine.
        with contextlib.suppress(TimeoutError):
            serve.start(
                http_options=HTTPOptions(host="127.0.0.1", port=_free_port()),
                grpc_options=gRPCOptions(
                    port=port, grpc_servicer_functions=["tabard_ray.services.add_to_server"]
                ),
            )
        await_true(lambda: _is_heard(port), what="HAProxy")
        (folder / "registry").mkdir()
        yield Cluster(address=f"127.0.0.1:{port}", folder=folder)
    finally:
        # Ray leaves HAProxy alive; its processes are known by the configuration that they read.
        proxies = _processes_with(str(short))
        with contextlib.suppress(Exception):
            serve.shutdown()
        ray.shutdown()
        for process in {*proxies, *_processes_with(str(short))}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGTERM)
        shutil.rmtree(short, ignore_errors=True)


def _environment(folder: Path) -> dict[str, str]:
    haproxy = folder / "h"
    return {
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        "RAY_SERVE_HAPROXY_BALANCE_ALGORITHM": "hdr(tabard-stack)",
        "RAY_SERVE_HAPROXY_NBTHREAD": "1",
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(_free_port()),
        "RAY_SERVE_HAPROXY_STATS_PORT": str(_free_port()),
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(haproxy / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(haproxy / "admin.sock"),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(haproxy),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(haproxy / "server-state"),
        # However slow the machine is.
        "RAY_SERVE_HAPROXY_STARTUP_TIMEOUT_S": "300",
        "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "300",
        "RAY_SERVE_PROXY_HEALTH_CHECK_TIMEOUT_S": "300",
        # Beside other work a nice process starts never.
        "RAY_worker_niceness": "0",
        # No process is started before somebody needs it.
        "RAY_prestart_worker_first_driver": "0",
        "RAY_enable_worker_prestart": "0",
        "RAY_AUTH_MODE": "disabled",
        "RAY_USAGE_STATS_ENABLED": "0",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in _SOURCES),
    }


def _is_heard(port: int) -> bool:
    with socket.socket() as found:
        return found.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _processes_with(word: str) -> list[int]:
    return [process for process in _all_processes() if word in _command(process)]


def _all_processes() -> Iterator[int]:
    for path in Path("/proc").iterdir():
        if path.name.isdigit() and int(path.name) != os.getpid():
            yield int(path.name)


def _descendants(root: int) -> Iterator[int]:
    parents = {process: _parent(process) for process in _all_processes()}
    for process in parents:
        above = parents.get(process, 0)
        while above and above != root:
            above = parents.get(above, 0)
        if above == root:
            yield process


def _parent(process: int) -> int:
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return 0
    return int(stat.rpartition(")")[2].split()[1])


def _command(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""
