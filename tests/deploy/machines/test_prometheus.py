# SPDX-License-Identifier: Apache-2.0
"""Rules and dashboard by promtool, and by a real Prometheus that scrapes a running server."""

import contextlib
import json
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.deploy.tools import tool
from tests.root import ROOT
from tests.server.life.server_process import running

pytestmark = pytest.mark.deploy

PROMETHEUS = ROOT / "deploy" / "prometheus"
DASHBOARD = ROOT / "deploy" / "grafana" / "dashboards" / "tabard.json"
PATIENCE_SECONDS = 60.0


def free_port() -> int:
    """Return a port that nobody has."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        return int(held.getsockname()[1])


def queries() -> list[str]:
    """Return what the dashboard asks, as Grafana would: with the variables filled in."""
    found: list[str] = []

    def look(tree: Any) -> None:
        if isinstance(tree, dict):
            found.extend(v for k, v in tree.items() if k == "expr" and isinstance(v, str))
            tree = list(tree.values())
        if isinstance(tree, list):
            for one in tree:
                look(one)

    look(json.loads(DASHBOARD.read_text(encoding="utf-8")))
    filled = [one.replace("$__rate_interval", "1m").replace("$__range", "1h") for one in found]
    return [re.sub(r"\$\w+", ".*", one) for one in filled]


@contextmanager
def scraping(target: str, *, folder: Path) -> Iterator[httpx.Client]:
    """Run a Prometheus with the rules of the repository before one server; give its API."""
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8"))
    config["global"] = {"scrape_interval": "200ms", "evaluation_interval": "200ms"}
    config["rule_files"] = [str(PROMETHEUS / "rules.yml")]
    (job,) = config["scrape_configs"]
    del job["dns_sd_configs"]
    job["static_configs"] = [{"targets": [target]}]
    file, log = folder / "prometheus.yml", folder / "prometheus.log"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    address = f"127.0.0.1:{free_port()}"
    command = [tool("prometheus"), f"--config.file={file}", f"--web.listen-address={address}"]
    command.append(f"--storage.tsdb.path={folder / 'prometheus'}")
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:
            with httpx.Client(base_url=f"http://{address}/api/v1", timeout=30.0) as client:
                yield client
        finally:
            process.terminate()


def ask(prometheus: httpx.Client, query: str) -> list[Any]:
    """Return what a query finds now."""
    answer = prometheus.get("/query", params={"query": query}).json()
    assert answer["status"] == "success", (query, answer)
    found: list[Any] = answer["data"]["result"]
    return found


def until_found(prometheus: httpx.Client, query: str) -> list[Any]:
    """Wait until a query finds something."""
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        # Until it has begun it refuses connections, and then says that it is not ready.
        with contextlib.suppress(httpx.TransportError):
            is_there = prometheus.get("/status/buildinfo").status_code == 200
            if is_there and (found := ask(prometheus, query)):
                return found
        time.sleep(0.1)
    raise AssertionError(f"nothing is found by {query}")


@pytest.mark.parametrize("file", ["prometheus.yml", "prometheus.network.yml"])
def test_promtool_takes_the_configuration(file: str, tmp_path: Path) -> None:
    """With the rules that it names."""
    (tmp_path / "rules.yml").write_bytes((PROMETHEUS / "rules.yml").read_bytes())
    text = (PROMETHEUS / file).read_text(encoding="utf-8")
    token = tmp_path / "prometheus.token"
    token.touch()
    (tmp_path / file).write_text(text.replace("/etc/tabard/prometheus.token", str(token)))

    ran = subprocess.run(
        [tool("promtool"), "check", "config", str(tmp_path / file)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "rules found" in ran.stdout


def test_running_server_is_scraped(tmp_path: Path) -> None:
    """Rules are evaluated, the dashboard's queries are queries, what is always told is found."""
    metrics = f"127.0.0.1:{free_port()}"
    with running(tmp_path, settings={"metrics_listen": metrics}) as server:
        assert server.address
        with scraping(metrics, folder=tmp_path) as prometheus:
            until_found(prometheus, 'up{job="tabard"} == 1')
            assert until_found(prometheus, 'tabard_state{state="serving"} == 1')
            assert until_found(prometheus, "tabard_queue_work_seconds == 0")
            for query in queries():
                ask(prometheus, query)
            until_found(prometheus, 'ALERTS or absent(ALERTS{alertstate="firing"})')
            groups = prometheus.get("/rules").json()["data"]["groups"]
            rules = [rule for group in groups for rule in group["rules"]]
            assert {rule["health"] for rule in rules} == {"ok"}
            assert {rule["state"] for rule in rules if rule["type"] == "alerting"} == {"inactive"}


def test_dead_server_is_an_alert(tmp_path: Path) -> None:
    """Prometheus notices what does not answer, by the rule that wakes somebody."""
    with scraping(f"127.0.0.1:{free_port()}", folder=tmp_path) as prometheus:
        (alert,) = until_found(prometheus, 'ALERTS{alertname="TabardIsDown"}')

    assert alert["metric"]["alertstate"] == "pending"
    assert alert["metric"]["severity"] == "page"
