# SPDX-License-Identifier: Apache-2.0
"""The compose file fits together: mounts exist, scraped ports are served, nothing is open."""

from typing import Any

import pytest
import yaml

from tests.root import ROOT

DEPLOY = ROOT / "deploy"


def load(name: str) -> Any:
    """Parse one YAML file of deploy/."""
    return yaml.safe_load((DEPLOY / name).read_text(encoding="utf-8"))


COMPOSE = load("compose.yaml")
SERVICES = COMPOSE["services"]


@pytest.mark.parametrize(
    "name", sorted(str(path.relative_to(DEPLOY)) for path in DEPLOY.rglob("*.y*ml"))
)
def test_yaml_file_parses(name: str) -> None:
    """Every YAML file holds a mapping."""
    assert isinstance(load(name), dict)


@pytest.mark.parametrize("name", SERVICES)
def test_ports_stay_on_loopback(name: str) -> None:
    """Nothing asks who is calling, so nothing is reachable from another machine."""
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", ()))


@pytest.mark.parametrize("name", SERVICES)
def test_mounts_and_recipes_exist(name: str) -> None:
    """Folders that are mounted, volumes that are named and recipes that are built exist."""
    service = SERVICES[name]
    sources = [mount.split(":")[0] for mount in service.get("volumes", ())]

    for source in sources:
        assert source in COMPOSE["volumes"] or (DEPLOY / source).is_dir()
    if "build" in service:
        recipe = DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]
        assert recipe.is_file()
    else:
        assert not service["image"].endswith(":latest")
        assert ":" in service["image"]


def test_one_server_per_profile() -> None:
    """Without a profile the CPU server runs; with `gpu` the other one, under the same name."""
    servers = {name: SERVICES[name] for name in ("tabard", "tabard-gpu")}

    profiles = [server["profiles"] for server in servers.values()]

    assert profiles == [["cpu"], ["gpu"]]
    assert "COMPOSE_PROFILES=cpu" in (DEPLOY / ".env").read_text(encoding="utf-8").splitlines()
    for server in servers.values():
        assert server["networks"]["default"]["aliases"] == ["tabard"]


def test_prometheus_scrapes_the_server() -> None:
    """The scraped address is the server's name and its metrics port."""
    (job,) = load("prometheus/prometheus.yml")["scrape_configs"]

    targets = [target for config in job["static_configs"] for target in config["targets"]]

    assert targets == ["tabard:9464"]
    assert "127.0.0.1:9464:9464" in SERVICES["tabard"]["ports"]


def test_rule_files_are_mounted() -> None:
    """Every rule file that Prometheus is told of lies beside its configuration."""
    for name in load("prometheus/prometheus.yml")["rule_files"]:
        assert (DEPLOY / "prometheus" / name).is_file()


def test_grafana_finds_its_dashboard() -> None:
    """The provider's folder is the one that the dashboard is mounted into."""
    (provider,) = load("grafana/provisioning/dashboards/tabard.yml")["providers"]
    mounts = {mount.split(":")[1] for mount in SERVICES["grafana"]["volumes"]}

    assert provider["options"]["path"] in mounts
