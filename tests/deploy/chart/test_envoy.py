# SPDX-License-Identifier: Apache-2.0
"""The chart's Envoy: the policy of deploy/envoy, taken by Envoy itself, drained by its hook."""

import copy
import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from grpc_health.v1 import health, health_pb2_grpc

from tests.deploy.chart.rendering import CHART, NAMES, envoy_config
from tests.deploy.tools import tool
from tests.root import ROOT
from tests.server.c2pa.authority import issue

pytestmark = pytest.mark.deploy

ENVOY = ROOT / "deploy" / "envoy"
PATIENCE_SECONDS = 60.0


def policy_of(name: str) -> Any:
    """Read a configuration of deploy/envoy."""
    return yaml.safe_load((ENVOY / name).read_text(encoding="utf-8"))


def without_addresses(config: Any) -> Any:
    """Return a configuration without what an installation says: addresses and times."""
    found = copy.deepcopy(config)
    for listener in found["static_resources"]["listeners"]:
        del listener["address"]
        for chain in listener["filter_chains"]:
            chain.pop("transport_socket", None)
            del chain["filters"][0]["typed_config"]["drain_timeout"]
    for cluster in found["static_resources"]["clusters"]:
        cluster.pop("dns_lookup_family", None)
        cluster.pop("transport_socket", None)
        del cluster["load_assignment"]["endpoints"], cluster["type"]
    return json.loads(json.dumps(found).replace("0123456789ab", "000000000000"))


@pytest.mark.parametrize("name", NAMES)
def test_policy_is_that_of_the_repository(name: str) -> None:
    """Routes, balance, health checks and bounds are word for word those of deploy/envoy."""
    origin = "bases.yaml" if name == "two-bases" else "envoy.yaml"

    assert without_addresses(envoy_config(name)) == without_addresses(policy_of(origin))


@pytest.mark.parametrize("name", NAMES)
def test_addresses_are_those_of_the_installation(name: str) -> None:
    """Callers come in from anywhere, servers are the headless Service, the admin is on loopback."""
    config = envoy_config(name)
    (listener,) = config["static_resources"]["listeners"]
    hosts = [
        (
            one["type"],
            one["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"][
                "socket_address"
            ],
        )
        for one in config["static_resources"]["clusters"]
    ]
    own = [("STRICT_DNS", {"address": "tabard-servers", "port_value": 50051})]
    other = [("STRICT_DNS", {"address": "other-tabard-servers", "port_value": 50051})]

    assert config["admin"]["address"]["socket_address"]["address"] == "127.0.0.1"
    assert listener["address"]["socket_address"] == {"address": "0.0.0.0", "port_value": 50050}
    assert hosts == own + (other if name == "two-bases" else [])


@pytest.mark.parametrize("name", NAMES)
def test_envoy_takes_it(name: str, tmp_path: Path) -> None:
    """With certificates where it asks for some."""
    issued = issue(tmp_path / "issued")
    held = {
        "front-tls/tls.crt": issued.certificate.read_bytes(),
        "front-tls/tls.key": issued.key.read_bytes(),
        "server-tls/ca.crt": issued.ca,
    }
    for place, content in held.items():
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).write_bytes(content)
    file = tmp_path / "envoy.yaml"
    text = yaml.safe_dump(envoy_config(name)).replace("/etc/tabard", str(tmp_path))
    file.write_text(text, encoding="utf-8")
    command = [tool("envoy"), "--mode", "validate", "--config-path", str(file)]

    ran = subprocess.run(command, capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stdout + ran.stderr


@contextmanager
def held_stream() -> Iterator[tuple[int, threading.Event]]:
    """Serve a stream of two messages, the second once it is let go; give port and leave to go."""
    go = threading.Event()

    def stream(_request: bytes, _context: Any) -> Iterator[bytes]:
        yield b"1"
        go.wait(PATIENCE_SECONDS)
        yield b"2"

    methods = {"Generate": grpc.unary_stream_rpc_method_handler(stream)}
    server = grpc.server(ThreadPoolExecutor(8))
    service = grpc.method_handlers_generic_handler("tabard.v1.GenerationService", methods)
    server.add_generic_rpc_handlers((service,))
    health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port, go
    finally:
        go.set()
        server.stop(0).wait(PATIENCE_SECONDS)


def free_ports(count: int) -> list[int]:
    """Return ports that nobody has."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


@contextmanager
def envoy_before(server_port: int, *, folder: Path) -> Iterator[tuple[int, int]]:
    """Run the chart's Envoy before a server; give its port and that of its admin address."""
    port, admin = free_ports(2)
    config = envoy_config("trial")
    (listener,) = config["static_resources"]["listeners"]
    listener["address"]["socket_address"] = {"address": "127.0.0.1", "port_value": port}
    config["admin"]["address"]["socket_address"]["port_value"] = admin
    (cluster,) = config["static_resources"]["clusters"]
    (endpoint,) = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
    endpoint["endpoint"]["address"]["socket_address"] = {
        "address": "127.0.0.1",
        "port_value": server_port,
    }
    file, log = folder / "envoy.yaml", folder / "envoy.log"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    command = [tool("envoy"), "--config-path", str(file), "--disable-hot-restart"]
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:
            yield port, admin
        finally:
            process.kill()


def drain(admin: int, *, seconds: int) -> "subprocess.Popen[bytes]":
    """Begin the hook of Envoy's pod, without the time that it leaves a Service."""
    command = ["bash", str(CHART / "files" / "drain.sh"), str(seconds), str(admin)]
    return subprocess.Popen(command, env={**os.environ, "SETTLE_SECONDS": "0"})


def begun(channel: grpc.Channel) -> Any:
    """Return a stream that has begun, once Envoy has seen the server."""
    call = channel.unary_stream("/tabard.v1.GenerationService/Generate")
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        stream = call(b"", timeout=PATIENCE_SECONDS, wait_for_ready=True)
        try:
            assert next(stream) == b"1"
        except grpc.RpcError:
            assert time.monotonic() < until
            time.sleep(0.2)
        else:
            return stream


def test_hook_waits_for_streams(tmp_path: Path) -> None:
    """Envoy's pod is there until the last image has come, and not longer."""
    with (
        held_stream() as (server_port, go),
        envoy_before(server_port, folder=tmp_path) as (port, admin),
        grpc.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        stream = begun(channel)
        hook = drain(admin, seconds=int(PATIENCE_SECONDS))
        with pytest.raises(subprocess.TimeoutExpired):
            hook.wait(3.0)

        go.set()

        assert next(stream) == b"2"
        assert hook.wait(PATIENCE_SECONDS) == 0


def test_hook_has_a_bound(tmp_path: Path) -> None:
    """A stream that never ends does not keep a pod for ever."""
    with (
        held_stream() as (server_port, _go),
        envoy_before(server_port, folder=tmp_path) as (port, admin),
        grpc.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        stream = begun(channel)

        assert drain(admin, seconds=2).wait(PATIENCE_SECONDS) == 0
        stream.cancel()
